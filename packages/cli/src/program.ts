import { version } from '@carrick/server/version'
import { Command } from 'commander'
import { accounts, events, usage } from './commands/accounts.ts'
import { apps, migrate, runners } from './commands/apps.ts'
import { backup, image, machines, restore, secrets, system } from './commands/installation.ts'
import { login, logout, servers } from './commands/remote.ts'
import { queue, requests, webhooks } from './commands/requests.ts'
import { config, demo, env, status, up } from './commands/server.ts'
import { passedOn } from './commands/stock.ts'

/** What can be typed. Each command's code is loaded when it is typed. */
export function program(): Command {
  const carrick = new Command('carrick')
    .description('A serverless platform for AI apps on your own machines')
    .version(version)
    .exitOverride()
    .showHelpAfterError()
    .enablePositionalOptions()
    .hook('preAction', (_carrick, command) => {
      const { output } = command.opts()
      if (output !== undefined) command.setOptionValue('json', output === 'json')
    })
  for (const command of commands()) carrick.addCommand(command)
  for (const command of carrick.commands.flatMap((each) => [each, ...each.commands])) command.exitOverride()
  return carrick
}

/** In the order of the help. */
function commands(): readonly Command[] {
  return [
    up(),
    config(),
    env(),
    status(),
    machines(),
    secrets(),
    passedOn('fal', 'The stock fal command, from an environment that Carrick keeps, pointed at this server'),
    passedOn('deploy', 'Deploys an app: carrick deploy [--no-promote] FILE.py::App (the stock `fal deploy`)'),
    accounts(),
    events(),
    apps(),
    runners(),
    queue(),
    requests(),
    webhooks(),
    usage(),
    image(),
    system(),
    backup(),
    restore(),
    login(),
    logout(),
    servers(),
    demo(),
    migrate(),
  ]
}
