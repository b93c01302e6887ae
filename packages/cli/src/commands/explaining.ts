import type { Command } from 'commander'
import { data, json, output, url } from './options.ts'

/** A command `explain` in a group. */
export function explaining(group: Command, description: string): Command {
  return group
    .command('explain')
    .description(description)
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
}
