import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { EntryPoint, OwnServer, PickledCallable } from '../../domain/revision.ts'
import type { Deps } from '../deps.ts'
import type { AskedEnvironment } from './definition.ts'

/** Bytes that only a runner reads, and the module that reads them. */
export const Pickled = z.object({
  method: z.string().regex(/^[A-Za-z_][\w.]*$/, 'is not the name of a Python module'),
  definition: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
})

/** The code that a deploy or a run comes with, in one of two ways. */
export const SentCode = z.object({
  callable: Pickled.optional(),
  entrypoint: z
    .string()
    .regex(/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/, 'must be "module:attribute"')
    .optional(),
})

/** Where a server listens that is told nothing; 0 is as if nothing was said. */
export const Port = z
  .number()
  .int()
  .min(0)
  .max(65_535)
  .transform((port) => (port === 0 ? undefined : port))
  .optional()

type SentPickle = z.output<typeof Pickled>

/** The code as it came. Throws `bad_request` when nothing came. */
export function sentCode({ callable, entrypoint }: z.output<typeof SentCode>): SentPickle | EntryPoint {
  if (entrypoint !== undefined) return { entrypoint }
  if (callable !== undefined && callable.definition.length > 0) return callable
  throw new CarrickError('bad_request', 'The code of the app is missing: send a pickled callable or an entry point')
}

/** Whether no code came. */
export const isCodeless = ({ callable, entrypoint }: z.output<typeof SentCode>): boolean =>
  entrypoint === undefined && (callable === undefined || callable.definition.length === 0)

/**
 * What a runner will load, on disk when this returns; nothing where an image serves by itself. Throws `bad_request`
 * when nothing came and the environment does not.
 */
export async function storedCode(
  { blobs }: Pick<Deps, 'blobs'>,
  sent: z.output<typeof SentCode>,
  { servesItself }: Pick<AskedEnvironment, 'servesItself'>,
): Promise<PickledCallable | EntryPoint | OwnServer> {
  if (servesItself && isCodeless(sent)) return { serves: 'image' }
  const code = sentCode(sent)
  if ('entrypoint' in code) return code
  return { method: code.method, blob: (await blobs.put(code.definition)).key }
}
