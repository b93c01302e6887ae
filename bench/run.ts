// npm run bench [name …]: asks every question, or those named, and prints one table.
import { Report } from './report.ts'

const questions: Record<string, () => Promise<(report: Report) => Promise<void>>> = {
  submits: async () => (await import('./submits.bench.ts')).submits,
  backlog: async () => (await import('./backlog.bench.ts')).backlog,
  recovery: async () => (await import('./recovery.bench.ts')).recovery,
  'cold-start': async () => (await import('./cold-start.bench.ts')).coldStart,
  containers: async () => (await import('./containers.bench.ts')).containers,
  'container-calls': async () => (await import('./container-calls.bench.ts')).containerCalls,
  thaw: async () => (await import('./thaw.bench.ts')).thaw,
  spawn: async () => (await import('./spawn.bench.ts')).spawned,
  'scale-out': async () => (await import('./scale-out.bench.ts')).scaleOut,
  'wake-all': async () => (await import('./wake-all.bench.ts')).wakeAll,
  'bad-apps': async () => (await import('./bad-apps.bench.ts')).badApps,
  changes: async () => (await import('./changes.bench.ts')).changes,
  rollback: async () => (await import('./rollback.bench.ts')).rollback,
  connections: async () => (await import('./connections.bench.ts')).connections,
  files: async () => (await import('./files.bench.ts')).files,
  memory: async () => (await import('./memory.bench.ts')).memory,
  'log-history': async () => (await import('./log-history.bench.ts')).logHistory,
  redeploy: async () => (await import('./redeploy.bench.ts')).redeploy,
  lifecycles: async () => (await import('./lifecycles.bench.ts')).lifecyclesPerSecond,
  latency: async () => (await import('./latency.bench.ts')).latency,
  proxy: async () => (await import('./proxy.bench.ts')).proxy,
  burst: async () => (await import('./burst.bench.ts')).burst,
  registry: async () => (await import('./registry.bench.ts')).registry,
  control: async () => (await import('./control.bench.ts')).control,
  'control-loop': async () => (await import('./control-loop.bench.ts')).controlLoop,
  retention: async () => (await import('./retention.bench.ts')).retention,
}

const asked = process.argv.slice(2)
const report = new Report()
for (const name of asked.length > 0 ? asked : Object.keys(questions)) {
  const load = questions[name]
  if (load === undefined)
    throw new Error(`no question is called ${name}; there are ${Object.keys(questions).join(', ')}`)
  console.error(`asking: ${name}`)
  await (
    await load()
  )(report)
}
report.print()
