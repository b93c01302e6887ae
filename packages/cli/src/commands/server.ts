import { Command } from 'commander'
import { loadLean } from '../load-lean.ts'
import { backend, data, json, output, url } from './options.ts'
import { port } from './values.ts'

export function up(): Command {
  return settingFlags(new Command('up'))
    .description('Runs the whole platform in this terminal. The first start makes everything it needs')
    .option('--takeover', 'asks the server that runs on the data folder to finish and go, and takes its place')
    .action(async (flags) => (await loadLean(() => import('../up.ts'))).up(flags))
}

export function config(): Command {
  const group = new Command('config').description('The settings: flags, variables, carrick.toml in the data folder')
  settingFlags(group.command('check'))
    .description('Says whether all settings are in order, and what is wrong with them')
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../config.ts')).checkConfig(flags))
  settingFlags(group.command('show'))
    .description('Shows the settings in force and where each comes from, as a carrick.toml')
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../config.ts')).showConfig(flags))
  return group
}

/** The settings that can be typed. */
function settingFlags(command: Command): Command {
  return command
    .option('--port <number>', 'the one port; 0 takes a free one (default: 8700)', port)
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .addOption(data())
    .addOption(backend())
    .option('--owner <name>', "the first account's nickname (default: your login name)")
    .option('--name <host...>', 'more host names of this server')
}

export function env(): Command {
  return new Command('env')
    .description('Prints the variables that point the stock tools at this server: eval "$(npx carrick env)"')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../env.ts')).env(flags))
}

export function status(): Command {
  return new Command('status')
    .description('Says whether the server is up, and what it is doing')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../status.ts')).status(flags))
}

export function demo(): Command {
  return new Command('demo')
    .description('Deploys a real model to a throw-away server, calls it, rolls it back, and shows every command')
    .addOption(backend())
    .action(async (flags) => (await import('../demo/demo.ts')).demo(flags))
}
