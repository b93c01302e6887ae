import { join } from 'node:path'
import type { Mount } from '../backends/backend.ts'
import type { App } from '../domain/app.ts'
import { CarrickError } from '../domain/errors.ts'
import { dataPath, filePathOf } from '../domain/file-path.ts'
import type { Revision } from '../domain/revision.ts'
import type { AccountFiles } from '../files/account-files.ts'
import type { DataQuotas } from '../files/data-quotas.ts'
import type { AppTrees } from '../files/app-trees.ts'

export interface PlaceParts {
  readonly files: Pick<AccountFiles, 'folderOf'>
  /** Whether an account keeps more than it may: then its runners cannot write to `/data`. */
  readonly quotas: Pick<DataQuotas, 'isOver'>
  readonly appTrees: Pick<AppTrees, 'folderOf'>
  /** Why runners can have no folders of their own, as half a sentence; undefined where they can. */
  readonly withoutMounts: string | undefined
}

/** What a runner finds where, and what it is told of that. */
export interface Places {
  readonly mounts: readonly Mount[]
  readonly variables: Readonly<Record<string, string>>
}

/** Where all of a runner's folders are: at `/data` and `/app`, or where they really are when it cannot have its own. */
export async function placesOf(
  { files, appTrees, quotas, withoutMounts }: PlaceParts,
  { app, revision }: { readonly app: Pick<App, 'accountId'>; readonly revision: Revision },
): Promise<Places> {
  const { files: appFiles, dataMounts = [dataPath] } = revision.spec
  if (withoutMounts !== undefined) {
    if (appFiles !== undefined || revision.spec.dataMounts !== undefined)
      throw new CarrickError(
        'unimplemented',
        `This app needs folders of its own, and ${withoutMounts}: deploy it again`,
      )
    const folder = await files.folderOf(app.accountId)
    const said = `There is no ${dataPath} here, because ${withoutMounts}: its files are in ${folder} (CARRICK_DATA_FOLDER)`
    return { mounts: [], variables: { ...toldOf(folder), CARRICK_RUNNER_WITHOUT_MOUNTS: said } }
  }
  const access = quotas.isOver(app.accountId) ? ({ readOnly: true, refuses: true } as const) : { readOnly: false }
  const [within, tree, ...folders] = await Promise.all([
    files.folderOf(app.accountId),
    appFiles === undefined ? undefined : appTrees.folderOf(revision.id, appFiles),
    ...dataMounts.map((to) => files.folderOf(app.accountId, filePathOf(to))),
  ])
  const data = dataMounts.map((to, at) => {
    const from = folders[at] ?? within
    // Other runners of the account may see all of it, and rename what is in it.
    return { from, to, ...(from === within ? {} : { within }), ...access }
  })
  const code = tree === undefined ? [] : [{ from: tree, to: '/app', readOnly: true }]
  return { mounts: [...data, ...code], variables: toldOf(dataPath) }
}

function toldOf(folder: string): Record<string, string> {
  return { CARRICK_DATA_FOLDER: folder, HF_HOME: join(folder, '.cache', 'huggingface') }
}
