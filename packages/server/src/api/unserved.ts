import { z } from 'zod'
import { CarrickError } from '../domain/errors.ts'

/** Wishes of a deploy that nothing here fulfils yet. Dropping one in silence would deploy a different app. */
export const Unserved = z.object({
  files: z.number().default(0),
  volumes: z.number().default(0),
  dataMounts: z.array(z.string()).default([]),
  setupFunction: z.boolean().default(false),
})

/** Refuses the first such wish with a sentence that names it. */
export function refuseUnserved({ files, volumes, dataMounts, setupFunction }: z.output<typeof Unserved>): void {
  const wishes = [
    [files > 0, 'app_files'],
    [volumes > 0, 'volumes'],
    [dataMounts.length > 0, 'data_mounts'],
    [setupFunction, 'a setup function'],
  ] as const
  const first = wishes.find(([asked]) => asked)
  if (first)
    throw new CarrickError('unimplemented', `This server does not serve ${first[1]} yet: deploy the app without`)
}
