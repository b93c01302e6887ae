import { Command } from 'commander'
import { data, url } from './options.ts'

/** The one flag of ours: the stock tool hands an annotation on, which the server takes for it. */
function promoted(args: readonly string[]): readonly string[] {
  return args.flatMap((each) => (each === '--no-promote' ? ['--annotation', 'carrick.promote=false'] : [each]))
}

/** A command whose arguments, flags and --help all belong to the stock tool. */
export function passedOn(name: 'fal' | 'deploy', description: string): Command {
  return new Command(name)
    .description(description)
    .argument('[arguments...]')
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions()
    .addOption(data())
    .addOption(url())
    .action(async (args: string[], where) =>
      (await import('../fal.ts')).fal(name === 'fal' ? args : [name, ...promoted(args)], where),
    )
}
