import { readAccountMetrics, readServerMetrics } from '../../metrics/metrics.ts'
import { described } from './described.ts'
import { route } from './route.ts'

/** What Prometheus reads. */
export const metricsRoutes = [
  route('GET', '/metrics', readServerMetrics, { read: () => ({}), show: exposition }),

  described('GET', '/v1/serverless/metrics', readAccountMetrics, {
    summary: "Metrics of the account's apps, for Prometheus, at most ten seconds old",
    media: 'text/plain',
    read: () => ({}),
    show: exposition,
  }),
]

function exposition(text: string): Response {
  return new Response(text, { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } })
}
