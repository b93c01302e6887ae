import type { Reporter, TestCase, TestModule } from 'vitest/node'

/**
 * Closes a run with one plain line that a machine can read: `N passed, N failed`, and the skipped ones when there are any.
 * Before it, by name, those that failed and passed when they were tried again: each of these is a fault, of a test or of ours.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    // A file that cannot be loaded, or a group whose preparation fails, has tests that never ran.
    const groups = modules.flatMap((module) => [module, ...module.children.allSuites()])
    const broken = groups.filter((group) => group.errors().length > 0).length
    const count = (state: string) => tests.filter((test) => test.result().state === state).length
    const failed = count('failed') + broken + unhandledErrors.length
    const skipped = count('skipped')
    process.on('exit', () => {
      tests.filter((test) => test.diagnostic()?.flaky).forEach(tellFlaky)
      console.log(`${count('passed')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
    })
  }
}

function tellFlaky(test: TestCase): void {
  const [error] = test.result().errors ?? []
  console.log(`FLAKY: ${test.module.relativeModuleId} > ${test.fullName}: ${error?.message ?? 'no error was kept'}`)
}
