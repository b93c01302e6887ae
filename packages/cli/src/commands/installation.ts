import { Command } from 'commander'
import { data, json, output, url } from './options.ts'
import { seconds } from './values.ts'

export function machines(): Command {
  const group = new Command('machines')
    .description('What there is to run on, which runners hold what of it, and which machine types fit')
    .enablePositionalOptions() // what stands behind a command below it is that one's
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../machines.ts')).machines(flags))
  const command = (name: string, description: string) =>
    group
      .command(name)
      .description(description)
      .argument('[machine]', 'its id; may be left out where there is one')
      .addOption(data())
      .addOption(url())
      .addOption(json())
      .addOption(output())
  command('drain', 'Takes a machine into maintenance: it gets no new runners, and those that it has finish and end')
    .option('--deadline <time>', 'kill what still runs after so long: 90s, 30m, 2h; 0s for now', seconds)
    .option('--message <text>', 'why, for whoever asks')
    .option('--detach', 'do not wait until all its runners are gone')
    .action(async (machine, flags) => (await import('../drain.ts')).drain(machine, flags))
  command('undrain', 'Ends the maintenance of a machine').action(async (machine, flags) =>
    (await import('../drain.ts')).undrain(machine, flags),
  )
  return group
}

export function secrets(): Command {
  const rotate = new Command('rotate-key')
    .description('Puts every secret under a new encryption key. The server must be stopped')
    .addOption(data())
    .addOption(json())
    .addOption(output())
    .exitOverride()
    .action(async (flags) => (await import('../rotate-key.ts')).rotate(flags))
  return new Command('secrets')
    .description('What concerns all secrets of an installation; `carrick fal secrets` sets and lists them')
    .addCommand(rotate)
}

export function image(): Command {
  const group = new Command('image').description('The images of an installation')
  group
    .command('import')
    .description('Puts the images of an archive into the registry; deploys then find them by the names that they have')
    .argument('<file>', 'an archive of `docker save` or an OCI layout as tar, also with gzip or zstd')
    .option('--name <name>', 'what deploys call it, such as python:3.11-slim (default: as the archive says)')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (file, flags) => (await import('../image/import.ts')).importImages(file, flags))
  group
    .command('list')
    .description(
      'Shows imported images, what environments were built on, and their images; how large, and what needs them',
    )
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../image/list.ts')).listImages(flags))
  group
    .command('rm')
    .description('Takes images away that no revision needs')
    .argument('<name...>', 'as `carrick image list` shows it: python:3.11-slim, or how the id of an environment begins')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (names, flags) => (await import('../image/list.ts')).removeImages(names, flags))
  return group
}

export function system(): Command {
  const group = new Command('system').description('What whoever looks after the server does to all of it')
  group
    .command('prune')
    .description('Takes away what no revision, no row and no runner needs: environments, images, blobs, containers')
    .option('--dry-run', 'tell what would go, and take nothing away')
    .option('--all', 'caches of builds too, and what is an hour old instead of a day')
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../system.ts')).prune(flags))
  return group
}

/** How a backup is opened and what is said of it. */
function archived(command: Command): Command {
  return command
    .option('--passphrase-file <file>', 'a file whose first line is the passphrase (else: CARRICK_BACKUP_PASSPHRASE)')
    .addOption(json())
    .addOption(output())
}

export function backup(): Command {
  return archived(new Command('backup'))
    .description('Puts a whole installation into one file, while its server runs or not')
    .argument('<file>', 'where to, such as carrick.tar.zst; - is standard output')
    .addOption(data())
    .option('--logs', 'log lines too')
    .option('--encrypt', 'encrypt it, with a passphrase that is asked for unless it is given')
    .option('--force', 'take the place of a file that is there')
    .action(async (file, flags) => (await import('../backup.ts')).backup(file, flags))
}

export function restore(): Command {
  return archived(new Command('restore'))
    .description('Makes a data folder from a backup')
    .argument('<file>', 'the backup; - is standard input')
    .requiredOption('--data <folder>', 'the data folder to make: new, or empty')
    .option('--replaces-original', 'the server that it is a backup of never runs again: take its bucket over')
    .action(async (file, flags) => (await import('../restore.ts')).restore(file, flags))
}
