import { UsageReport } from '@carrick/protocol/platform'
import { z } from 'zod'
import type { UsageRow } from '../../../domain/usage-report.ts'
import { usageDimensions } from '../../../domain/usage-report.ts'
import { InWindow } from '../../platform/input.ts'
import { usageReport, usageViews } from '../../usage/report.ts'
import { described } from './described.ts'
import { iso } from './route.ts'

/** What was used, in sums. */
export const usageRoutes = [
  described('GET', '/v1/serverless/usage/report', usageReport, {
    summary: 'Runner and GPU seconds, requests, billable units and money, in sums of whole hours',
    query: z.object({
      ...InWindow,
      by: z
        .array(z.enum(usageDimensions, `Sums are told apart by ${usageDimensions.join(', ')}`))
        .max(usageDimensions.length)
        .default(['app']),
      view: z.enum(usageViews).default('owned'),
      app: z.string().max(500).optional(),
      environment: z.string().max(100).optional(),
    }),
    answer: UsageReport,
    read: ({ query }) => query,
    show: ({ window, by, rows, total, currency }) => ({
      start: iso(window.from),
      end: iso(window.to),
      by: [...by],
      rows: rows.map((row) => ({ ...named(row), ...shown(row, currency) })),
      total: shown(total, currency),
      currency,
    }),
  }),
]

function named({ of }: UsageRow) {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name.replace('-', '_'), value]))
}

function shown({ used, cost }: Pick<UsageRow, 'used' | 'cost'>, currency: string | null) {
  return {
    runner_seconds: used.runnerMs / 1_000,
    gpu_seconds: used.gpuMs / 1_000,
    requests: used.requests,
    billable_units: used.units / 1e8,
    cost: currency === null ? null : Math.round(cost * 1e6) / 1e6,
  }
}
