import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceFile, syncFolder } from '../kit/files.ts'
import type { Draft } from './staging.ts'

/** An upload in parts, as a restart finds it. */
const Facts = z.object({ accountId: z.string(), target: z.string(), limit: z.number(), begunAt: z.number() })
export type Facts = Readonly<z.infer<typeof Facts>>

/** A part that is on disk. */
export interface KeptPart {
  readonly number: number
  readonly length: number
  readonly md5: string
  readonly path: string
}

export interface KeptUpload extends Facts {
  readonly id: string
  readonly parts: ReadonlyMap<number, KeptPart>
}

/** A folder for each upload that is not complete. What it answers is on disk, and there again after a restart. */
export interface PartsFolder {
  begin(id: string, facts: Facts): Promise<void>
  /** Moves a draft in. Rejects with ENOENT when the upload was dropped meanwhile. */
  keep(id: string, number: number, draft: Draft): Promise<KeptPart>
  drop(id: string): Promise<void>
  /** What a former process had begun. */
  found(): Promise<readonly KeptUpload[]>
}

/** Opens the folder. It has to be on the disk where drafts are made. */
export async function openPartsFolder(folder: string): Promise<PartsFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const at = (id: string) => join(folder, id)
  return {
    async begin(id, facts) {
      await mkdir(at(id), { mode: 0o700 })
      await replaceFile(join(at(id), factsName), JSON.stringify(facts))
      await syncFolder(folder)
    },
    async keep(id, number, { path: draft, length, md5 }) {
      const path = join(at(id), `${number}-${length}-${md5}`)
      await rename(draft, path)
      await syncFolder(at(id))
      return { number, length, md5, path }
    },
    drop: (id) => rm(at(id), { recursive: true, force: true }),
    async found() {
      const uploads = await Promise.all((await readdir(folder)).map((id) => read(at(id), id)))
      return uploads.filter((upload) => upload !== undefined)
    },
  }
}

const factsName = 'upload.json'

/** Undefined for what was not begun to the end. */
async function read(folder: string, id: string): Promise<KeptUpload | undefined> {
  const text = await readFile(join(folder, factsName), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (text === undefined) {
    await rm(folder, { recursive: true, force: true })
    return undefined
  }
  const parts = (await readdir(folder)).flatMap((name) => partNamed(name, folder))
  return { ...Facts.parse(JSON.parse(text)), id, parts: new Map(parts.map((part) => [part.number, part])) }
}

function partNamed(name: string, folder: string): KeptPart[] {
  const [, number, length, md5] = /^(\d+)-(\d+)-([0-9a-f]{32})$/.exec(name) ?? []
  if (md5 === undefined) return []
  return [{ number: Number(number), length: Number(length), md5, path: join(folder, name) }]
}
