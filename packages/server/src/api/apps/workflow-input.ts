import { z } from 'zod'

export const WorkflowName = z
  .string()
  .regex(/^[A-Za-z0-9]([\w-]{0,61}[A-Za-z0-9])?$/, 'must be letters, digits, hyphens and underscores, 63 at most')

export const WorkflowPage = z.object({
  page: z.coerce.number().int().min(1).max(1_000_000).default(1),
  size: z.coerce.number().int().min(1).max(100).default(50),
})
