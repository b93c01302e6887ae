import { Command, Option } from 'commander'
import { data, json, output, url } from './options.ts'
import { onOrOff, past, retention, weight } from './values.ts'

export function requests(): Command {
  const group = new Command('requests').description(
    "Requests of your apps' queues: which there are, what became of them",
  )
  const command = (name: string, description: string) =>
    group
      .command(name)
      .description(description)
      .addOption(data())
      .addOption(url())
      .addOption(json())
      .addOption(output())
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
    .action(async (flags) => (await import('../requests.ts')).listRequests(flags))
  command('show', 'One request: what became of it, and every attempt')
    .argument('<id>', 'the request id')
    .action(async (id, flags) => (await import('../requests.ts')).showRequest(id, flags))
  command('explain', 'Why a request waits, or what became of it, in sentences')
    .argument('<id>', 'the request id')
    .action(async (id, flags) => (await import('../explain.ts')).explainRequest(id, flags))
  command('retry', 'Sends requests that have ended once more, each as a new one')
    .argument('<id...>', 'the request ids')
    .action(async (ids, flags) => (await import('../requests.ts')).retryRequests(ids, flags))
  return group
}

export function queue(): Command {
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
      .addOption(json())
      .addOption(output())
  command('show', 'Says whether it is paused, how many requests wait, and how long they are kept').action(
    async (app, flags) => (await import('../queue.ts')).showQueue(app, flags),
  )
  command('set', 'Changes it, at once and for good')
    .option('--retention <time>', 'keep requests so long once they have ended: 30d, 12h, forever, default', retention)
    .option('--fair-share <on|off>', 'whether callers take turns within a priority, key by key', onOrOff)
    .option('--weight <key=weight>', 'turns of a key, by id or alias: 1 to 100, or default (repeatable)', weight)
    .action(async (app, flags) => (await import('../queue.ts')).setQueue(app, flags))
  command('pause', 'Lets what is submitted wait, until `carrick queue resume`').action(async (app, flags) =>
    (await import('../queue.ts')).setPaused(app, true, flags),
  )
  command('resume', 'Goes on with what waits').action(async (app, flags) =>
    (await import('../queue.ts')).setPaused(app, false, flags),
  )
  return group
}

export function webhooks(): Command {
  const group = new Command('webhooks').description('Who was told of the outcomes of your requests, and what they said')
  const command = (name: string, description: string) =>
    group
      .command(name)
      .description(description)
      .addOption(data())
      .addOption(url())
      .addOption(json())
      .addOption(output())
  command('list', 'Lists the webhooks of your requests, the newest first')
    .addOption(new Option('--state <word>', 'in one state').choices(['waiting', 'due', 'delivered', 'failed']))
    .option('--request <id>', 'of one request')
    .option('--limit <number>', 'how many at most', '50')
    .action(async (flags) => (await import('../webhooks.ts')).listWebhooks(flags))
  command('resend', 'Tells the outcome of a request once more, now')
    .argument('<request>', 'the request id')
    .action(async (request, flags) => (await import('../webhooks.ts')).resendWebhook(request, flags))
  return group
}
