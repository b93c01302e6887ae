import { describe, expect, test } from 'vitest'
import { bodiesUnder } from '../blobs.ts'
import { imageBytes } from '../image-users.ts'
import { forgetImageBlobs, forgetManifest, unnamedManifests } from '../registry-sweep.ts'
import {
  deleteManifest,
  deleteTag,
  dropBlob,
  heldBlob,
  holdBlob,
  holderOf,
  manifestAt,
  missingOf,
  mountBlob,
  putManifest,
  referrersOf,
  repositoriesOf,
  repositoryExists,
  tagsOf,
  useBlob,
} from '../registry.ts'
import type { Store } from '../store.ts'

const hexOf = (digits: string) => digits.padEnd(64, '0')
const blob = (digits: string) => ({ digest: `sha256:${hexOf(digits)}`, blob: hexOf(digits), length: 5 })
const manifest = (digits: string) => ({ ...blob(digits), mediaType: 'image' })
const none = { blobs: [], manifests: [] }
const first = { repository: '', digest: '' }

/** What every engine promises of images. */
export function describeRegistry(store: () => Store): void {
  const commit: Store['commit'] = (write) => store().commit(write)
  const read: Store['read'] = (query) => store().read(query)
  const put = (
    repository: string,
    digits: string,
    { blobs = [] as string[], manifests = [] as string[], tags = [] as string[], now = 1 } = {},
  ) => commit(putManifest(repository, manifest(digits), { named: { blobs, manifests }, tags, now }))

  describe('an image', () => {
    test('comes back by its digest and by its tags, as it was put', async () => {
      const repository = 'ann/back'
      const whole = { ...manifest('a1'), subject: 's', artifactType: 't', annotations: { by: 'ann' } }
      await commit(putManifest(repository, whole, { named: none, tags: ['one', 'two'], now: 1 }))
      expect(await read(manifestAt(repository, whole.digest))).toEqual(whole)
      expect(await read(manifestAt(repository, 'two'))).toEqual(whole)
      expect(await read(manifestAt(repository, 'three'))).toBeUndefined()
      expect(await read(manifestAt('ann/other', whole.digest))).toBeUndefined()
      expect(await read(referrersOf(repository, 's', 10))).toEqual([whole])
      await put(repository, 'a2', { tags: ['two'] })
      expect(await read(manifestAt(repository, 'two'))).toEqual(manifest('a2'))
      expect(await read(tagsOf(repository, '', 1))).toEqual(['one'])
      expect(await read(tagsOf(repository, 'one', 5))).toEqual(['two'])
      expect(await commit(deleteTag(repository, 'one', 2))).toBe(true)
      expect(await commit(deleteTag(repository, 'one', 2))).toBe(false)
    })

    test('is not put where what it names is not there, and then nothing happened', async () => {
      const repository = 'ann/whole'
      await commit(holdBlob(repository, blob('b1'), 1))
      await commit(holdBlob('ann/elsewhere', blob('b2'), 1))
      const blobs = [blob('b1').digest, blob('b2').digest]
      expect(await read(missingOf(repository, { blobs, manifests: [manifest('b3').digest] }))).toEqual([
        blob('b2').digest,
        manifest('b3').digest,
      ])
      expect(await read(missingOf(repository, none))).toEqual([])
      await expect(put(repository, 'b4', { blobs, tags: ['broken'] })).rejects.toThrow(/foreign key/i)
      expect(await read(manifestAt(repository, 'broken'))).toBeUndefined()
      expect(await commit(mountBlob('ann/elsewhere', repository, blob('b2').digest, 1))).toBe(true)
      expect(await commit(mountBlob('ann/nowhere', repository, blob('b2').digest, 1))).toBe(false)
      await put(repository, 'b4', { blobs, tags: ['whole'] })
      await put(repository, 'b4', { blobs, tags: ['whole'] }) // as clients do again
      expect(await read(manifestAt(repository, 'whole'))).toEqual(manifest('b4'))
    })

    test('is as large as all that it leads to, each part once', async () => {
      const repository = 'ann/large'
      for (const digits of ['aa1', 'aa2']) await commit(holdBlob(repository, blob(digits), 1))
      const [one, two] = ['aa1', 'aa2'].map((digits) => blob(digits).digest)
      await put(repository, 'aa3', { blobs: [one ?? ''] })
      await put(repository, 'aa4', { blobs: [one ?? '', two ?? ''] })
      await put(repository, 'aa5', { manifests: [manifest('aa3').digest, manifest('aa4').digest] })
      expect(await read(imageBytes(repository, manifest('aa3').digest))).toBe(10)
      expect(await read(imageBytes(repository, manifest('aa5').digest))).toBe(25)
      expect(await read(imageBytes(repository, manifest('aa6').digest))).toBeUndefined()
      expect(await read(imageBytes('ann/other', manifest('aa5').digest))).toBeUndefined()
    })

    test('keeps what it names from being deleted', async () => {
      const repository = 'ann/names'
      const { digest } = blob('c1')
      await commit(holdBlob(repository, blob('c1'), 1))
      await put(repository, 'c2', { blobs: [digest] })
      await put(repository, 'c3', { manifests: [manifest('c2').digest], tags: ['index'] })
      expect(await commit(dropBlob(repository, digest))).toBe(false)
      expect(await commit(deleteManifest(repository, manifest('c2').digest))).toBe(false)
      expect(await commit(deleteManifest(repository, manifest('c3').digest))).toBe(true)
      expect(await read(tagsOf(repository, '', 5))).toEqual([])
      expect(await commit(deleteManifest(repository, manifest('c2').digest))).toBe(true)
      expect(await commit(dropBlob(repository, digest))).toBe(true)
      expect(await read(repositoryExists(repository))).toBe(false)
    })
  })

  test('blobs of an owner are found in any of its repositories, and repositories are listed by owner', async () => {
    await commit(holdBlob('dan/one', blob('d1'), 1))
    await put('dan/one', 'd2')
    await put('dan-else/one', 'd2')
    expect(await read(holderOf('dan', blob('d1').digest))).toBe('dan/one')
    expect(await read(holderOf('dan-else', blob('d1').digest))).toBeUndefined()
    expect(await read(repositoriesOf('dan', '', 5))).toEqual(['dan/one'])
    expect(await read(repositoriesOf('dan', 'dan/one', 5))).toEqual([])
    expect(await read(repositoriesOf(undefined, '', 100))).toEqual(expect.arrayContaining(['dan/one', 'dan-else/one']))
  })

  test('bytes are named by the blobs of repositories and by manifests', async () => {
    await commit(holdBlob('eve/one', blob('ee1'), 1))
    await put('eve/one', 'ee2')
    expect(new Set(await read(bodiesUnder('ee')))).toEqual(new Set([hexOf('ee1'), hexOf('ee2')]))
  })

  test('what nothing leads to goes, unless it was used since then', async () => {
    const repository = 'fay/sweep'
    const [layer, old] = [blob('f1'), blob('f2')]
    await commit(holdBlob(repository, layer, 10))
    await commit(holdBlob(repository, old, 10))
    await put(repository, 'f3', { blobs: [layer.digest], now: 10 })
    await put(repository, 'f4', { tags: ['kept'], now: 10 })
    const unnamed = async (before: number) =>
      (await read(unnamedManifests(before, { ...first, repository: 'fay/' }, 10))).filter(
        (row) => row.repository === repository,
      )
    expect(await unnamed(10)).toEqual([])
    expect(await unnamed(11)).toEqual([{ repository, digest: manifest('f3').digest }])
    expect(await read(unnamedManifests(11, { repository, digest: manifest('f3').digest }, 10))).toEqual([])
    await put(repository, 'f3', { tags: ['again'], now: 20 }) // a push came between
    expect(await commit(forgetManifest({ repository, digest: manifest('f3').digest }, 11))).toBe(false)
    await commit(deleteTag(repository, 'again', 30))
    expect(await commit(forgetManifest({ repository, digest: manifest('f3').digest }, 30))).toBe(false)
    expect(await commit(useBlob(repository, layer.digest, 40))).toBe(true)
    expect(await commit(forgetManifest({ repository, digest: manifest('f3').digest }, 31))).toBe(true)
    await commit(forgetImageBlobs(40, 100))
    expect(await read(heldBlob(repository, old.digest))).toBeUndefined()
    expect(await read(heldBlob(repository, layer.digest))).toEqual({ ...layer, usedAt: 40 })
    await commit(forgetImageBlobs(41, 100))
    expect(await read(heldBlob(repository, layer.digest))).toBeUndefined()
    expect(await commit(useBlob(repository, layer.digest, 50))).toBe(false)
  })
}
