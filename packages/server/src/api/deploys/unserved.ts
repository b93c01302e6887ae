import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'

/** Wishes of a deploy that nothing here fulfils yet. Dropping one in silence would deploy a different app. */
export const Unserved = z.object({
  volumes: z.number().default(0),
  setupFunction: z.boolean().default(false),
})

/** Refuses the first such wish with a sentence that names it. */
export function refuseUnserved({ volumes, setupFunction }: z.output<typeof Unserved>): void {
  const wishes = [
    [volumes > 0, 'volumes', 'keep files in /data, which all runners of an account share'],
    [setupFunction, 'a setup function', 'deploy the app without'],
  ] as const
  const first = wishes.find(([asked]) => asked)
  if (first) throw new CarrickError('unimplemented', `This server does not serve ${first[1]}: ${first[2]}`)
}
