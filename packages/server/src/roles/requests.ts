import { listOf } from '../config.ts'
import { startDispatcher } from '../dispatcher/dispatcher.ts'
import type { RequestId } from '../domain/ids.ts'
import { publicOr } from '../domain/public-address.ts'
import { createGateway } from '../gateway/gateway.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { startWebhooks } from '../webhooks/webhooks.ts'
import { createWorkflows } from '../workflows/workflows.ts'
import type { Starting } from './starting.ts'

/** All through which a request goes, from its caller to whoever is told of its end. */
export function startRequests({ foundation, addresses, readiness, closing }: Starting, scheduler: Scheduler) {
  const { config } = foundation
  const connectTimeoutMs = config.CARRICK_CONNECT_TIMEOUT_MS
  const onRunnerVerdict = scheduler.verdict.bind(scheduler)
  const whatExceeded = scheduler.whatExceeded.bind(scheduler)
  const accepting = () => readiness() === 'ready'
  const cancel = (id: RequestId) => dispatcher.cancel(id)
  const workflows = createWorkflows({ ...foundation, accepting, cancel })
  const { caller } = workflows
  const dispatcher = startDispatcher({
    ...foundation,
    caller,
    onRunnerVerdict,
    whatExceeded,
    random: Math.random,
    limits: { resultBytes: config.CARRICK_RESULT_LIMIT, connectTimeoutMs },
  })
  const mayCallBack = publicOr(listOf(config.CARRICK_WEBHOOK_ALLOW))
  const gateway = createGateway({
    ...foundation,
    mayCallBack,
    caller,
    onRunnerVerdict,
    whatExceeded,
    startFailureOf: scheduler.startFailureOf.bind(scheduler),
    unplacedOf: scheduler.unplacedOf.bind(scheduler),
    isOverBudget: scheduler.isOverBudget.bind(scheduler),
    names: () => addresses.names,
    limits: {
      bodyBytes: config.CARRICK_BODY_LIMIT,
      queueLength: config.CARRICK_QUEUE_LIMIT,
      connectTimeoutMs,
      socketMessageBytes: config.CARRICK_SOCKET_MESSAGE_LIMIT,
      socketIdleMs: config.CARRICK_SOCKET_IDLE_MS,
    },
    cancel,
    accepting,
  })
  const webhooks = startWebhooks({
    ...foundation,
    wallClock: { now: Date.now },
    random: Math.random,
    way: { mayReach: mayCallBack },
    mostBytes: config.CARRICK_WEBHOOK_LIMIT,
  })
  closing.defer(() => webhooks.stop({ graceMs: 0 }))
  return { workflows, dispatcher, gateway, webhooks }
}
