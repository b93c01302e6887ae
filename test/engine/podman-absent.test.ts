import { test } from 'vitest'
import { whyNoPodman } from './podman.ts'

test.skip(`no test with Podman was run: ${whyNoPodman()}`, () => {})
