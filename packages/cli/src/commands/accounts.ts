import { Command } from 'commander'
import { data, json, output, url } from './options.ts'
import { bytes, past } from './values.ts'

export function accounts(): Command {
  const group = new Command('accounts').description('Accounts beside the first one, each with apps and keys of its own')
  group
    .command('create')
    .description('Makes an account and prints its ADMIN key, this once')
    .argument('<name>', 'its nickname: the owner in owner/app')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (name, flags) => (await import('../accounts.ts')).createAccount(name, flags))
  group
    .command('list')
    .description('Lists all accounts')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../accounts.ts')).listAccounts(flags))
  group
    .command('set')
    .description('Changes what an account may have')
    .argument('<name>', 'its nickname')
    .requiredOption('--data-quota <size>', 'how much it may keep in /data: 500MB, 2TB, none, or default', bytes)
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (name, flags) => (await import('../accounts.ts')).setAccount(name, flags))
  return group
}

export function events(): Command {
  return new Command('events')
    .description('Who changed what, from which key, newest last')
    .option('--limit <number>', 'how many at most', '50')
    .option('--since <time>', 'those since then: 2026-11-25T10:00:00Z')
    .option('--action <verb>', 'of one kind: deploy, scale_app, create_key …')
    .option('--subject <name>', 'of one app, key, runner, environment, secret or account')
    .option('--follow', 'go on with what comes, until Ctrl-C')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../events.ts')).events(flags))
}

export function usage(): Command {
  return new Command('usage')
    .description('What was used: seconds of runners and GPUs, requests, billable units, money where prices are set')
    .option(
      '--by <names>',
      'app, environment, revision, machine-type, caller, key, hour, day, month; several with commas',
      'app',
    )
    .option('--since <time>', 'from the hour of then on: 2026-11-25T10:00:00Z, or 12h, 7d ago (default: 30d)', past)
    .option('--until <time>', 'up to the end of the hour of then', past)
    .option('--app <app>', 'of one app: owner/name, or the name of one of your own')
    .option('--env <name>', 'of one environment')
    .option(
      '--paid',
      'what you pay for: your calls, also of shared apps of others, and your runners without what others pay',
    )
    .option('--csv', 'as CSV')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../usage.ts')).usage(flags))
}
