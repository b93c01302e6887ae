import { version } from '@carrick/server/version'
import { Command, InvalidArgumentError, Option } from 'commander'
import { loadLean } from './load-lean.ts'

const url = () =>
  new Option('--url <address>', 'a server that you logged in to (default: CARRICK_URL)').conflicts('data')
const data = () => new Option('--data <folder>', 'the data folder (default: CARRICK_DATA, else ~/.carrick)')

/** What can be typed. Each command's code is loaded when it is typed. */
export function program(): Command {
  const carrick = new Command('carrick')
    .description('A serverless platform for AI apps on your own machines')
    .version(version)
    .exitOverride()
    .showHelpAfterError()
    .enablePositionalOptions()
  carrick.addCommand(up())
  carrick.addCommand(config())
  carrick.addCommand(env())
  carrick.addCommand(status())
  carrick.addCommand(machines())
  carrick.addCommand(secrets())
  carrick.addCommand(
    passedOn('fal', 'The stock fal command, from an environment that Carrick keeps, pointed at this server'),
  )
  carrick.addCommand(
    passedOn('deploy', 'Deploys an app: carrick deploy [--no-promote] FILE.py::App (the stock `fal deploy`)'),
  )
  carrick.addCommand(accounts())
  carrick.addCommand(events())
  carrick.addCommand(apps())
  carrick.addCommand(runners())
  carrick.addCommand(queue())
  carrick.addCommand(requests())
  carrick.addCommand(webhooks())
  carrick.addCommand(usage())
  carrick.addCommand(image())
  carrick.addCommand(system())
  carrick.addCommand(backup())
  carrick.addCommand(restore())
  carrick.addCommand(login())
  carrick.addCommand(logout())
  carrick.addCommand(servers())
  carrick.addCommand(demo())
  carrick.addCommand(migrate())
  for (const command of carrick.commands.flatMap((each) => [each, ...each.commands])) command.exitOverride()
  return carrick
}

function up(): Command {
  return settingFlags(new Command('up'))
    .description('Runs the whole platform in this terminal. The first start makes everything it needs')
    .option('--takeover', 'asks the server that runs on the data folder to finish and go, and takes its place')
    .action(async (flags) => (await loadLean(() => import('./up.ts'))).up(flags))
}

function config(): Command {
  const group = new Command('config').description('The settings: flags, variables, carrick.toml in the data folder')
  settingFlags(group.command('check'))
    .description('Says whether all settings are in order, and what is wrong with them')
    .option('--json', 'as JSON')
    .action(async (flags) => (await import('./config.ts')).checkConfig(flags))
  settingFlags(group.command('show'))
    .description('Shows the settings in force and where each comes from, as a carrick.toml')
    .option('--json', 'as JSON')
    .action(async (flags) => (await import('./config.ts')).showConfig(flags))
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

const backend = () => new Option('--backend <name>', 'where runners run').choices(['process', 'docker'])

function port(text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return text
  throw new InvalidArgumentError('It must be a number from 0 to 65535.')
}

function env(): Command {
  return new Command('env')
    .description('Prints the variables that point the stock tools at this server: eval "$(npx carrick env)"')
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .action(async (flags) => (await import('./env.ts')).env(flags))
}

function status(): Command {
  return new Command('status')
    .description('Says whether the server is up, and what it is doing')
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .action(async (flags) => (await import('./status.ts')).status(flags))
}

function image(): Command {
  const group = new Command('image').description('Images for machines that cannot pull them')
  group
    .command('import')
    .description('Puts the images of an archive into the registry; deploys then find them by the names that they have')
    .argument('<file>', 'an archive of `docker save` or an OCI layout as tar, also with gzip or zstd')
    .option('--name <name>', 'what deploys call it, such as python:3.11-slim (default: as the archive says)')
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .addOption(new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json']))
    .action(async (file, flags) => (await import('./image/import.ts')).importImages(file, flags))
  return group
}

function system(): Command {
  const group = new Command('system').description('What whoever looks after the server does to all of it')
  group
    .command('prune')
    .description('Takes away what no revision, no row and no runner needs: environments, images, blobs, containers')
    .option('--dry-run', 'tell what would go, and take nothing away')
    .option('--all', 'caches of builds too, and what is an hour old instead of a day')
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .addOption(new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json']))
    .action(async (flags) => (await import('./system.ts')).prune(flags))
  return group
}

/** How a backup is opened and what is said of it. */
function archived(command: Command): Command {
  return command
    .option('--passphrase-file <file>', 'a file whose first line is the passphrase (else: CARRICK_BACKUP_PASSPHRASE)')
    .option('--json', 'as JSON')
    .addOption(new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json']))
}

function backup(): Command {
  return archived(new Command('backup'))
    .description('Puts a whole installation into one file, while its server runs or not')
    .argument('<file>', 'where to, such as carrick.tar.zst; - is standard output')
    .addOption(data())
    .option('--logs', 'log lines too')
    .option('--encrypt', 'encrypt it, with a passphrase that is asked for unless it is given')
    .option('--force', 'take the place of a file that is there')
    .action(async (file, flags) => (await import('./backup.ts')).backup(file, flags))
}

function restore(): Command {
  return archived(new Command('restore'))
    .description('Makes a data folder from a backup')
    .argument('<file>', 'the backup; - is standard input')
    .requiredOption('--data <folder>', 'the data folder to make: new, or empty')
    .option('--replaces-original', 'the server that it is a backup of never runs again: take its bucket over')
    .action(async (file, flags) => (await import('./restore.ts')).restore(file, flags))
}

function login(): Command {
  return new Command('login')
    .description('Keeps the address, a key and the CA of a server on another machine, for `--url` and CARRICK_URL')
    .argument('<url>', 'such as https://gpubox:8700')
    .option('--key <->', 'read the key from stdin (else: CARRICK_KEY, else it is asked for)')
    .option('--fingerprint <sha256>', 'trust the CA of the server if it has this fingerprint, and do not ask')
    .option('--ca <file>', 'trust this CA instead of the one that the server hands out')
    .option('--default', 'make it what commands without an address mean')
    .option('--no-default', 'do not')
    .option('--json', 'as JSON')
    .action(async (address, flags) => (await import('./login.ts')).login(address, flags))
}

function logout(): Command {
  return new Command('logout')
    .description('Forgets a server on another machine, and the key for it')
    .argument('<url>', 'as `carrick servers` lists it')
    .option('--json', 'as JSON')
    .action(async (address, flags) => (await import('./servers.ts')).logout(address, flags))
}

function servers(): Command {
  return new Command('servers')
    .description('Lists the servers that you logged in to')
    .option('--json', 'as JSON')
    .action(async (flags) => (await import('./servers.ts')).listServers(flags))
}

function accounts(): Command {
  const group = new Command('accounts').description('Accounts beside the first one, each with apps and keys of its own')
  group
    .command('create')
    .description('Makes an account and prints its ADMIN key, this once')
    .argument('<name>', 'its nickname: the owner in owner/app')
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .action(async (name, flags) => (await import('./accounts.ts')).createAccount(name, flags))
  group
    .command('list')
    .description('Lists all accounts')
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .action(async (flags) => (await import('./accounts.ts')).listAccounts(flags))
  group
    .command('set')
    .description('Changes what an account may have')
    .argument('<name>', 'its nickname')
    .requiredOption('--data-quota <size>', 'how much it may keep in /data: 500MB, 2TB, none, or default', bytes)
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .action(async (name, flags) => (await import('./accounts.ts')).setAccount(name, flags))
  return group
}

function bytes(text: string): number | null {
  if (text === 'default') return null
  if (text === 'none') return 0
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text) ?? []
  if (amount === '') throw new InvalidArgumentError('It must be a size such as 500MB or 2TB, or `none`, or `default`.')
  return Math.floor(Number(amount) * 1_024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' '))
}

function runners(): Command {
  const group = new Command('runners').description('The runners of your apps; `fal runners` does the rest')
  group
    .command('list')
    .description('What each runner does, and why those ended that have')
    .option('--app <name>', 'of one app')
    .option('--since <time>', 'also those that ended since then, a day back at most: 30m, or a moment', past)
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .action(async (flags) => (await import('./runners.ts')).listRunners(flags))
  explaining(group, 'Why a runner was started, and why it ended, in sentences')
    .argument('<id>', 'the runner id')
    .action(async (id, flags) => (await import('./explain.ts')).explainRunner(id, flags))
  return group
}

function events(): Command {
  return new Command('events')
    .description('Who changed what, from which key, newest last')
    .option('--limit <number>', 'how many at most', '50')
    .option('--since <time>', 'those since then: 2026-11-25T10:00:00Z')
    .option('--action <verb>', 'of one kind: deploy, scale_app, create_key …')
    .option('--subject <name>', 'of one app, key, runner, environment, secret or account')
    .option('--follow', 'go on with what comes, until Ctrl-C')
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON; with --follow one line for each')
    .action(async (flags) => (await import('./events.ts')).events(flags))
}

function requests(): Command {
  const group = new Command('requests').description(
    "Requests of your apps' queues: which there are, what became of them",
  )
  const command = (name: string, description: string) =>
    group
      .command(name)
      .description(description)
      .addOption(data())
      .addOption(url())
      .option('--json', 'as JSON')
      .addOption(new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json']))
  command('list', 'Those that wait or run, newest first, then those that ended, the last one first')
    .option('--app <app>', 'of one app: owner/name, or the name of one of your own (default: of all)')
    .option('--status <word>', 'in_queue, in_progress, completed, succeeded, failed, cancelled or dead')
    .option('--dead', 'the dead letters: those that failed after all their attempts')
    .option('--since <time>', 'that ended since then, or came: 2026-11-25T10:00:00Z, or 30m, 12h, 7d ago', past)
    .option('--until <time>', 'and before then', past)
    .option('--caller <name>', 'of one caller: your nickname, or as the list names others')
    .option('--key <id>', 'that came with one of your keys')
    .option('--endpoint <path>', 'for one path of the app, and those below it')
    .option('--error <code>', 'that failed with one code: runner_disconnected …')
    .option('--limit <number>', 'how many at most', '50')
    .action(async (flags) => (await import('./requests.ts')).listRequests(flags))
  command('show', 'One request: what became of it, and every attempt')
    .argument('<id>', 'the request id')
    .action(async (id, flags) => (await import('./requests.ts')).showRequest(id, flags))
  command('explain', 'Why a request waits, or what became of it, in sentences')
    .argument('<id>', 'the request id')
    .action(async (id, flags) => (await import('./explain.ts')).explainRequest(id, flags))
  command('retry', 'Sends requests that have ended once more, each as a new one')
    .argument('<id...>', 'the request ids')
    .action(async (ids, flags) => (await import('./requests.ts')).retryRequests(ids, flags))
  return group
}

function apps(): Command {
  const group = new Command('apps').description('Why an app has as many runners as it has; `fal apps` does the rest')
  explaining(group, 'Why an app has as many runners as it has, in sentences: now, and at the last decisions')
    .argument('<app>', 'owner/name, or the name of one of your own')
    .option('--env <environment>', 'the environment that it is in')
    .option('--last <number>', 'how many of the last decisions, 50 at most', '5')
    .action(async (app, flags) => (await import('./explain.ts')).explainApp(app, flags))
  return group
}

/** A command `explain` in a group. */
function explaining(group: Command, description: string): Command {
  return group
    .command('explain')
    .description(description)
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .addOption(new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json']))
}

/** A moment, or how long ago it was, as ISO 8601. */
function past(text: string): string {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const milliseconds = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit]
  if (amount !== undefined && milliseconds !== undefined)
    return new Date(Date.now() - Number(amount) * milliseconds).toISOString()
  const moment = new Date(text)
  if (!Number.isNaN(moment.getTime())) return moment.toISOString()
  throw new InvalidArgumentError('It must be a time such as 2026-11-25T10:00:00Z, or how long ago: 30m, 12h, 7d.')
}

function queue(): Command {
  const group = new Command('queue').description(
    "What is set of an app's queue; `fal queue` shows its size and flushes it",
  )
  const command = (name: string, description: string) =>
    group
      .command(name)
      .description(description)
      .argument('<app>', 'owner/name, or the name of one of your own')
      .addOption(data())
      .addOption(url())
      .option('--json', 'as JSON')
  command('show', 'Says whether it is paused, how many requests wait, and how long they are kept').action(
    async (app, flags) => (await import('./queue.ts')).showQueue(app, flags),
  )
  command('set', 'Changes it, at once and for good')
    .option('--retention <time>', 'keep requests so long once they have ended: 30d, 12h, forever, default', retention)
    .option('--fair-share <on|off>', 'whether callers take turns within a priority, key by key', onOrOff)
    .option('--weight <key=weight>', 'turns of a key, by id or alias: 1 to 100, or default (repeatable)', weight)
    .action(async (app, flags) => (await import('./queue.ts')).setQueue(app, flags))
  command('pause', 'Lets what is submitted wait, until `carrick queue resume`').action(async (app, flags) =>
    (await import('./queue.ts')).setPaused(app, true, flags),
  )
  command('resume', 'Goes on with what waits').action(async (app, flags) =>
    (await import('./queue.ts')).setPaused(app, false, flags),
  )
  return group
}

function onOrOff(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw new InvalidArgumentError('It must be on or off.')
}

/** One more weight; null takes a key's away. */
function weight(text: string, before: Record<string, number | null> = {}): Record<string, number | null> {
  const [, key = '', value = ''] = /^(.+)=(\d{1,3}|default)$/.exec(text) ?? []
  if (key === '') throw new InvalidArgumentError('It must be a key id or alias, =, and a whole number or `default`.')
  return { ...before, [key]: value === 'default' ? null : Number(value) }
}

/** In days. */
function retention(text: string): number | 'default' {
  if (text === 'default') return text
  if (text === 'forever') return 0
  const [, amount = '', unit = 'd'] = /^(\d+(?:\.\d+)?)([dhms]?)$/.exec(text) ?? []
  const perDay = { d: 1, h: 24, m: 1_440, s: 86_400 }[unit || 'd']
  if (amount !== '' && perDay !== undefined) return Number(amount) / perDay
  throw new InvalidArgumentError('It must be a time such as 30d, 12h or 90s, or `forever`, or `default`.')
}

function webhooks(): Command {
  const group = new Command('webhooks').description('Who was told of the outcomes of your requests, and what they said')
  const command = (name: string, description: string) =>
    group.command(name).description(description).addOption(data()).addOption(url()).option('--json', 'as JSON')
  command('list', 'Lists the webhooks of your requests, the newest first')
    .addOption(new Option('--state <word>', 'in one state').choices(['waiting', 'due', 'delivered', 'failed']))
    .option('--request <id>', 'of one request')
    .option('--limit <number>', 'how many at most', '50')
    .action(async (flags) => (await import('./webhooks.ts')).listWebhooks(flags))
  command('resend', 'Tells the outcome of a request once more, now')
    .argument('<request>', 'the request id')
    .action(async (request, flags) => (await import('./webhooks.ts')).resendWebhook(request, flags))
  return group
}

function usage(): Command {
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
    .option('--json', 'as JSON')
    .addOption(new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json']))
    .action(async (flags) => (await import('./usage.ts')).usage(flags))
}

function secrets(): Command {
  const rotate = new Command('rotate-key')
    .description('Puts every secret under a new encryption key. The server must be stopped')
    .addOption(data())
    .option('--json', 'as JSON')
    .exitOverride()
    .action(async (flags) => (await import('./rotate-key.ts')).rotate(flags))
  return new Command('secrets')
    .description('What concerns all secrets of an installation; `carrick fal secrets` sets and lists them')
    .addCommand(rotate)
}

function machines(): Command {
  const group = new Command('machines')
    .description('What there is to run on, which runners hold what of it, and which machine types fit')
    .addOption(data())
    .addOption(url())
    .option('--json', 'as JSON')
    .addOption(new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json']))
    .action(async (flags) => (await import('./machines.ts')).machines(flags))
  const command = (name: string, description: string) =>
    group
      .command(name)
      .description(description)
      .argument('[machine]', 'its id; may be left out where there is one')
      .addOption(data())
      .addOption(url())
      .option('--json', 'as JSON')
  command('drain', 'Takes a machine into maintenance: it gets no new runners, and those that it has finish and end')
    .option('--deadline <time>', 'kill what still runs after so long: 90s, 30m, 2h; 0s for now', seconds)
    .option('--message <text>', 'why, for whoever asks')
    .option('--detach', 'do not wait until all its runners are gone')
    .action(async (machine, flags) => (await import('./drain.ts')).drain(machine, flags))
  command('undrain', 'Ends the maintenance of a machine').action(async (machine, flags) =>
    (await import('./drain.ts')).undrain(machine, flags),
  )
  return group
}

function seconds(text: string): number {
  const [, amount = '', unit = 's'] = /^(\d{1,6})([smhd]?)$/.exec(text) ?? []
  const each = { s: 1, m: 60, h: 3_600, d: 86_400 }[unit || 's']
  if (amount !== '' && each !== undefined) return Number(amount) * each
  throw new InvalidArgumentError('It must be a time such as 90s, 30m or 2h.')
}

function demo(): Command {
  return new Command('demo')
    .description('Deploys a real model to a throw-away server, calls it, rolls it back, and shows every command')
    .addOption(backend())
    .action(async (flags) => (await import('./demo/demo.ts')).demo(flags))
}

function migrate(): Command {
  const group = new Command('migrate').description('Makes apps of what was written for another platform')
  group
    .command('cog')
    .description('Makes an app of a Cog project (Replicate): reads its cog.yaml and its predictor, runs nothing of it')
    .argument('<folder>', 'where cog.yaml is; the app is written beside it')
    .option('--into <folder>', 'copy the project into this empty folder, and write there')
    .option('--json', 'as JSON')
    .addOption(new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json']))
    .action(async (folder, flags) => (await import('./migrate/cog.ts')).migrateCog(folder, flags))
  return group
}

/** The one flag of ours: the stock tool hands an annotation on, which the server takes for it. */
function promoted(args: readonly string[]): readonly string[] {
  return args.flatMap((each) => (each === '--no-promote' ? ['--annotation', 'carrick.promote=false'] : [each]))
}

/** A command whose arguments, flags and --help all belong to the stock tool. */
function passedOn(name: 'fal' | 'deploy', description: string): Command {
  return new Command(name)
    .description(description)
    .argument('[arguments...]')
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions()
    .addOption(data())
    .addOption(url())
    .action(async (args: string[], where) =>
      (await import('./fal.ts')).fal(name === 'fal' ? args : [name, ...promoted(args)], where),
    )
}
