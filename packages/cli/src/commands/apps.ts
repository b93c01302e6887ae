import { Command } from 'commander'
import { explaining } from './explaining.ts'
import { data, json, output, url } from './options.ts'
import { freezeAfter, past } from './values.ts'

export function apps(): Command {
  const group = new Command('apps').description(
    'Why an app has as many runners as it has, and when they are frozen; `fal apps` does the rest',
  )
  explaining(group, 'Why an app has as many runners as it has, in sentences: now, and at the last decisions')
    .argument('<app>', 'owner/name, or the name of one of your own')
    .option('--env <environment>', 'the environment that it is in')
    .option('--last <number>', 'how many of the last decisions, 50 at most', '5')
    .action(async (app, flags) => (await import('../explain.ts')).explainApp(app, flags))
  group
    .command('freezing')
    .description(
      'When its idle runners are frozen, so that they take no processor time until something is sent to them',
    )
    .argument('<app>', 'owner/name, or the name of one of your own')
    .option('--env <environment>', 'the environment that it is in')
    .option('--after <time>', 'from now on after so much idleness: 60s, 30m, never, default', freezeAfter)
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (app, flags) => (await import('../freezing.ts')).freezing(app, flags))
  return group
}

export function runners(): Command {
  const group = new Command('runners').description('The runners of your apps; `fal runners` does the rest')
  group
    .command('list')
    .description('What each runner does, and why those ended that have')
    .option('--app <name>', 'of one app')
    .option('--since <time>', 'also those that ended since then, a day back at most: 30m, or a moment', past)
    .addOption(data())
    .addOption(url())
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../runners.ts')).listRunners(flags))
  explaining(group, 'Why a runner was started, and why it ended, in sentences')
    .argument('<id>', 'the runner id')
    .action(async (id, flags) => (await import('../explain.ts')).explainRunner(id, flags))
  return group
}

export function migrate(): Command {
  const group = new Command('migrate').description('Makes apps of what was written for another platform')
  group
    .command('cog')
    .description('Makes an app of a Cog project (Replicate): reads its cog.yaml and its predictor, runs nothing of it')
    .argument('<folder>', 'where cog.yaml is; the app is written beside it')
    .option('--into <folder>', 'copy the project into this empty folder, and write there')
    .addOption(json())
    .addOption(output())
    .action(async (folder, flags) => (await import('../migrate/cog.ts')).migrateCog(folder, flags))
  return group
}
