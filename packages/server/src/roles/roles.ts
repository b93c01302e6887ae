import { createGrpcHandler } from '../api/grpc/grpc.ts'
import { createRest } from '../api/rest/rest.ts'
import { dropExpired } from '../api/storage/expiry.ts'
import { createListener } from '../doors.ts'
import { startLoop } from '../kit/loop.ts'
import { openImages } from '../runtime/images.ts'
import { controlOf } from './control.ts'
import { startRequests } from './requests.ts'
import { startRunners } from './runners.ts'
import type { Starting } from './starting.ts'
import { startSweeps } from './sweeps.ts'

export type Roles = Awaited<ReturnType<typeof startRoles>>

/** The jobs of the platform, each given what it works with, and told of what the others see. */
export async function startRoles(starting: Starting) {
  const { foundation, addresses, readiness, closing } = starting
  const { config, log } = foundation
  const images = openImages(foundation, addresses.names, () => readiness() !== 'draining', closing)
  const runners = await startRunners(starting, images.registry)
  const { scheduler, runtime } = runners
  const { workflows, dispatcher, gateway, webhooks } = startRequests(starting, scheduler)
  const swept = startSweeps(starting, runners)
  const control = controlOf(starting, { runners, queues: dispatcher, webhooks, swept })
  await workflows.open()
  const expiry = startLoop((signal) => dropExpired(control, signal), { name: 'expiry', everyMs: expiryEveryMs, log })
  closing.defer(() => expiry.stop())
  const rest = createRest(control)
  return {
    gateway,
    listeners: {
      people: createListener(gateway, rest, readiness, images.handle),
      runners: createListener(gateway, rest, readiness),
    },
    grpc: createGrpcHandler(control, { messageLimit: config.CARRICK_MESSAGE_LIMIT }),
    dispatcher,
    scheduler,
    workflows,
    webhooks,
    engine: runtime.engine,
  }
}

/** Nothing waits for it but the disk. */
const expiryEveryMs = 10_000
