import { expect, test } from 'vitest'
import { follow, guides, needsEngine, ownServer } from '../guide-server.ts'

/* Runs the guides whose server has `backend = "docker"`; how, says guides.test.ts. */

const ours = guides.filter(needsEngine)

test('there is one', () => expect(ours).not.toEqual([]))

for (const guide of ours)
  test(`the commands of the guide ${guide.name} do what it says`, { timeout: 600_000 }, async () => {
    await using server = await ownServer(guide)
    await follow(guide, server)
  })
