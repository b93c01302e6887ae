import type { AppId, RunnerId } from '../domain/ids.ts'
import { runnerVerdict, type AttemptEnd } from '../domain/retry.ts'
import type { GatewayDeps } from './deps.ts'

/** Draws the conclusion about a runner: one that failed gets no more requests from this moment on. */
export function judge(
  { homes, onRunnerVerdict }: Pick<GatewayDeps, 'homes' | 'onRunnerVerdict'>,
  { appId, runnerId }: { readonly appId: AppId; readonly runnerId: RunnerId },
  end: AttemptEnd,
): void {
  if (end.kind === 'answered' && end.hints) homes.of(appId).advertise(runnerId, end.hints)
  const verdict = runnerVerdict(end)
  if (verdict.kind === 'keep') return
  if (verdict.kind === 'terminate') homes.of(appId).retire(runnerId)
  onRunnerVerdict(runnerId, verdict.kind, verdict.reason)
}
