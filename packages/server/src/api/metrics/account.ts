import { Gauge, Registry } from 'prom-client'
import { wireName } from '../../domain/names.ts'
import type { RunnerView } from '../../domain/runner-view.ts'
import type { KnownApp } from '../../home/apps.ts'
import type { TrafficCounts } from '../../home/traffic.ts'
import type { AppUsage } from './usage.ts'

/** The metrics of an account's apps, by the names and labels of the platform API (platform-behaviour §9.3). All gauges. */
export const accountMetrics = {
  fal_app_runners: {
    help: 'Runners: pending ones start, running ones take requests or finish some, dead ones ended within the last minute',
    labels: ['application', 'state', 'machine_type'],
  },
  fal_app_queue_size: { help: 'Requests that wait in the queue', labels: ['application'] },
  fal_app_concurrent_requests: { help: 'Requests and direct calls that runners have', labels: ['application'] },
  fal_app_requests_received: {
    help: 'Requests and direct calls that came within the last minute',
    labels: ['application', 'method'],
  },
  fal_app_requests_completed: {
    help: 'Requests and direct calls that ended within the last minute',
    labels: ['application', 'method', 'status'],
  },
  fal_app_request_latency: {
    help: 'Of those that ended within the last minute, how many took no more than le seconds from coming to ending',
    labels: ['application', 'le'],
  },
  fal_app_runner_cpu_usage_percent: {
    help: 'CPU that runners used since the answer before, summed, in percent of one core; absent until there are two',
    labels: ['application'],
  },
  fal_app_runner_memory_usage_bytes: { help: 'Memory that runners use, summed', labels: ['application'] },
  fal_app_runner_gpu_count: { help: 'GPUs that runners hold, summed; absent without any', labels: ['application'] },
} as const satisfies Readonly<Record<string, { readonly help: string; readonly labels: readonly string[] }>>

/** What is known of one app at this moment. */
export interface AppFigures {
  readonly app: KnownApp['app']
  readonly queued: number
  readonly running: number
  readonly traffic: TrafficCounts
  /** Also those that ended within the last minute. */
  readonly runners: readonly RunnerView[]
  readonly usage: AppUsage
}

/** The metrics as Prometheus reads them. */
export async function accountExposition(apps: readonly AppFigures[]): Promise<string> {
  const registry = new Registry()
  const gauges = gaugesIn(registry)
  for (const { app, queued, running, traffic, runners, usage } of apps) {
    const application = wireName(app)
    gauges.fal_app_queue_size.set({ application }, queued)
    gauges.fal_app_concurrent_requests.set({ application }, running)
    for (const { state, machineType } of runners)
      gauges.fal_app_runners.inc({ application, state: shownStates[state], machine_type: machineType })
    for (const { method, count } of traffic.received)
      gauges.fal_app_requests_received.set({ application, method }, count)
    for (const { method, status, count } of traffic.completed)
      gauges.fal_app_requests_completed.set({ application, method, status }, count)
    for (const { seconds, count } of traffic.latency)
      gauges.fal_app_request_latency.set({ application, le: seconds === Infinity ? '+Inf' : seconds }, count)
    const gpus = heldGpus(runners)
    if (gpus > 0) gauges.fal_app_runner_gpu_count.set({ application }, gpus)
    const { cpuPercent, memoryBytes } = usage
    if (cpuPercent !== undefined) gauges.fal_app_runner_cpu_usage_percent.set({ application }, cpuPercent)
    if (memoryBytes !== undefined) gauges.fal_app_runner_memory_usage_bytes.set({ application }, memoryBytes)
  }
  return registry.metrics()
}

/** A runner that has ended is listed for a minute, and holds nothing. */
function heldGpus(runners: readonly RunnerView[]): number {
  return runners.reduce(
    (sum, { state, placement }) => sum + (state === 'terminated' ? 0 : (placement?.gpus.length ?? 0)),
    0,
  )
}

const shownStates: Readonly<Record<RunnerView['state'], 'pending' | 'running' | 'dead'>> = {
  pending: 'pending',
  docker_pull: 'pending',
  setup: 'pending',
  crash_backoff: 'pending',
  idle: 'running',
  running: 'running',
  draining: 'running',
  terminating: 'running',
  terminated: 'dead',
}

function gaugesIn(registry: Registry): Readonly<Record<keyof typeof accountMetrics, Gauge>> {
  const gauge = (name: keyof typeof accountMetrics) => {
    const { help, labels } = accountMetrics[name]
    return new Gauge({ name, help, labelNames: [...labels], registers: [registry] })
  }
  return {
    fal_app_runners: gauge('fal_app_runners'),
    fal_app_queue_size: gauge('fal_app_queue_size'),
    fal_app_concurrent_requests: gauge('fal_app_concurrent_requests'),
    fal_app_requests_received: gauge('fal_app_requests_received'),
    fal_app_requests_completed: gauge('fal_app_requests_completed'),
    fal_app_request_latency: gauge('fal_app_request_latency'),
    fal_app_runner_cpu_usage_percent: gauge('fal_app_runner_cpu_usage_percent'),
    fal_app_runner_memory_usage_bytes: gauge('fal_app_runner_memory_usage_bytes'),
    fal_app_runner_gpu_count: gauge('fal_app_runner_gpu_count'),
  }
}
