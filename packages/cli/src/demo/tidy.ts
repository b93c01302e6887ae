import { ImageList } from '@carrick/protocol/rest'
import { setTimeout as pause } from 'node:timers/promises'
import { answerOf, ask, type Asked } from '../ask.ts'

const patienceMs = 60_000
const againMs = 500

/** Takes away what a throw-away server would leave in a container engine: its apps, and with them their images. */
export async function leaveNothing(server: Asked, apps: readonly string[]): Promise<void> {
  for (const app of apps) await answerOf(server, `/v1/serverless/apps/${app}`, undefined, 'DELETE', patienceMs)
  const { images } = ImageList.parse(await ask(server, '/v1/images'))
  const until = Date.now() + patienceMs
  for (const { name } of images.filter(({ kind }) => kind === 'environment'))
    // Its last runner may be about to end.
    while ((await answerOf(server, `/v1/images/${name}`, undefined, 'DELETE', patienceMs)).status === 409) {
      if (Date.now() > until) return
      await pause(againMs)
    }
}
