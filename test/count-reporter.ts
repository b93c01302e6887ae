import type { Reporter, TestModule } from 'vitest/node'

/** Closes a run with one plain line that a machine can read: `N passed, N failed`, and the skipped ones when there are any. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state))
    // A file that cannot be loaded, or a group whose preparation fails, has tests that never ran.
    const groups = modules.flatMap((module) => [module, ...module.children.allSuites()])
    const broken = groups.filter((group) => group.errors().length > 0).length
    const count = (state: string) => states.filter((each) => each === state).length
    const failed = count('failed') + broken + unhandledErrors.length
    const skipped = count('skipped')
    process.on('exit', () => {
      console.log(`${count('passed')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
    })
  }
}
