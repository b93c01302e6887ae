import type { AccountId, AppId, RevisionId, RunnerId } from '../../domain/ids.ts'
import type { RunnerSpec } from '../backend.ts'

/** What tells our containers from those of other installations and of other people. */
const installationLabel = 'carrick.installation'
const runnerLabel = 'carrick.runner'

type Labels = Readonly<Record<string, string>>

/** Of a runner's container: whose it is and what it serves, for us and for people who look at the engine. */
export function labelsOf(spec: RunnerSpec, installation: string): Record<string, string> {
  const of: Record<string, RunnerId | AppId | RevisionId | AccountId> = {
    [runnerLabel]: spec.id,
    'carrick.app': spec.appId,
    'carrick.revision': spec.revisionId,
    'carrick.account': spec.accountId,
  }
  return { ...labelsOfInstallation(installation), ...of }
}

/** Of everything that an installation makes in the engine. */
export function labelsOfInstallation(installation: string): Record<string, string> {
  return { [installationLabel]: installation }
}

/** The filter by which the engine finds all runners of an installation, or one of them. */
export function filterFor(installation: string, id?: RunnerId): string[] {
  return [`${installationLabel}=${installation}`, id === undefined ? runnerLabel : `${runnerLabel}=${id}`]
}

/** The runner that a container is; undefined for what is none. */
export function runnerIn(labels: Labels | undefined): RunnerId | undefined {
  return labels?.[runnerLabel]
}
