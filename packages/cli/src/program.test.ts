import type { Command } from 'commander'
import { expect, test, vi } from 'vitest'
import { program } from './program.ts'

const groups = program()
  .commands.filter(({ commands }) => commands.length > 0)
  .flatMap((group) => group.commands.map((each) => [group.name(), each.name()] as const))

/** What a command is told when it is typed with these flags. */
async function told(names: readonly string[], flags: readonly string[]): Promise<unknown> {
  const carrick = program()
  const command = names.reduce<Command>((of, name) => of.commands.find((each) => each.name() === name)!, carrick)
  const heard = vi.fn()
  const values = command.registeredArguments.map(() => 'it')
  command.action(() => heard(command.opts()))
  for (const option of command.options) option.makeOptionMandatory(false)
  await carrick.parseAsync([...names, ...values, ...flags], { from: 'user' })
  return heard.mock.calls[0]?.[0]
}

test.each(groups)('what stands behind `%s %s` is told to it, and to none above it', async (...names) => {
  expect(await told(names, ['--json'])).toMatchObject({ json: true })
  expect(await told(names, ['--output', 'json'])).toMatchObject({ json: true })
})

test('a server that is named for a command below another one is the one that it goes to', async () => {
  expect(await told(['machines', 'drain'], ['--url', 'https://gpubox:8700'])).toMatchObject({
    url: 'https://gpubox:8700',
  })
})
