import { describeBackend } from '../conformance.ts'
import { dockerBackend, openPodman, podmanBackend, podmanHost } from './testing.ts'

const whyNot = podmanHost === undefined ? 'CARRICK_TEST_PODMAN names no socket of it' : undefined

describeBackend('docker', dockerBackend)
describeBackend(
  whyNot === undefined ? 'podman' : `podman (not run: ${whyNot})`,
  { ...podmanBackend, open: openPodman },
  whyNot ?? false,
)
