import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askNvidiaSmi } from './nvidia-smi.ts'
import { discover } from './this-machine.ts'

let folder = ''
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'carrick-smi-'))))
afterEach(() => rm(folder, { recursive: true }))

/** An `nvidia-smi` first on a PATH: a shell script, which refuses every question but the one that it knows. */
async function fake(body: string): Promise<string> {
  const program = join(folder, 'nvidia-smi')
  const check =
    'case "$*" in *--query-gpu=index,uuid,name,memory.total*--format=csv,noheader,nounits*) ;; *) exit 9 ;; esac'
  await writeFile(program, `#!/bin/sh\n${check}\n${body}\n`)
  await chmod(program, 0o755)
  return `${folder}:/usr/bin:/bin`
}

const h100 = (index: number) => `${index}, GPU-0000-${index}, NVIDIA H100 80GB HBM3, 81559`
const eight = Array.from({ length: 8 }, (_, index) => h100(index)).join('\n')

test('a machine without the program has no GPU, and nothing is wrong', async () => {
  expect(await askNvidiaSmi({ path: folder })).toEqual({ gpus: [] })
})

test('one GPU is told with all that is known of it', async () => {
  const path = await fake(`echo "${h100(0)}"`)
  expect(await askNvidiaSmi({ path })).toEqual({
    gpus: [{ index: 0, uuid: 'GPU-0000-0', name: 'NVIDIA H100 80GB HBM3', memoryBytes: 81_559 * 1024 ** 2 }],
  })
})

test('eight are told in their order', async () => {
  const path = await fake(`cat <<EOF\n${eight}\nEOF`)
  expect((await askNvidiaSmi({ path })).gpus.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
})

test('what is [N/A] is not known, and a GPU without a name is none', async () => {
  const path = await fake('echo "0, [N/A], NVIDIA GB10, [N/A]"; echo "1, GPU-1, [N/A], 100"')
  const { gpus, trouble } = await askNvidiaSmi({ path })
  expect(gpus).toEqual([{ index: 0, name: 'NVIDIA GB10' }])
  expect(trouble).toContain('"1, GPU-1, [N/A], 100", which is no GPU')
})

test('one that fails says why', async () => {
  const path = await fake('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18')
  expect(await askNvidiaSmi({ path })).toEqual({
    gpus: [],
    trouble: 'nvidia-smi failed with exit code 18: Failed to initialize NVML: Driver/library version mismatch',
  })
})

test('one that hangs is not waited for, also where it leaves a child that holds its pipes', async () => {
  const path = await fake('sleep 9')
  expect(await askNvidiaSmi({ path, timeoutMs: 300 })).toEqual({
    gpus: [],
    trouble: 'nvidia-smi did not answer within 0.3 s',
  })
})

test('a file of that name that cannot be run is told', async () => {
  await writeFile(join(folder, 'nvidia-smi'), 'x')
  expect((await askNvidiaSmi({ path: folder })).trouble).toContain('nvidia-smi failed')
})

const real = (await askNvidiaSmi()).gpus
if (real.length === 0)
  console.warn('skipped: "a real card is told with its UUID and memory", for this machine has no GPU')
test.runIf(real.length > 0)('a real card is told with its UUID and memory', () => {
  for (const gpu of real) {
    expect(gpu).toMatchObject({ uuid: expect.stringMatching(/^GPU-/), name: expect.any(String) })
    expect(gpu.memoryBytes).toBeGreaterThan(2 ** 30)
  }
})

describe('what the operator says of the machine', () => {
  const asked = { region: 'eu-west', cpus: 0, memoryBytes: 0, gpus: { kind: 'discovered' } } as const
  const ask = async () => ({ gpus: [0, 1, 2].map((index) => ({ index, name: 'Tesla T4' })) })

  test('is what it has, where nothing is said', async () => {
    const { machine, warnings } = await discover(asked, ask)
    expect(machine).toMatchObject({ region: 'eu-west', gpus: [{ index: 0 }, { index: 1 }, { index: 2 }] })
    expect(machine.cpus).toBeGreaterThanOrEqual(1)
    expect(machine.memoryBytes).toBeGreaterThan(2 ** 20)
    expect(warnings).toEqual([])
  })

  test('are some of its GPUs, and a warning about those that are not there', async () => {
    const gpus = { kind: 'discovered', indices: new Set([2, 7]) } as const
    const { machine, warnings } = await discover({ ...asked, gpus }, ask)
    expect(machine.gpus.map(({ index }) => index)).toEqual([2])
    expect(warnings).toEqual(['CARRICK_GPUS names 7, but nvidia-smi knows no such GPU'])
  })

  test('are GPUs by name, and nobody is asked', async () => {
    const gpus = { kind: 'named', names: ['H100', 'H100'] } as const
    const never = () => Promise.reject(new Error('asked'))
    const { machine } = await discover({ ...asked, cpus: 8, memoryBytes: 1_000, gpus }, never)
    expect(machine).toMatchObject({ cpus: 8, memoryBytes: 1_000, gpus: [{ index: 0, name: 'H100' }, { index: 1 }] })
  })

  test('and a program that fails is a warning', async () => {
    const { warnings } = await discover(asked, async () => ({ gpus: [], trouble: 'nvidia-smi failed' }))
    expect(warnings).toEqual(['GPUs may be missing: nvidia-smi failed'])
  })
})
