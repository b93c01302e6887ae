import { describe, expect, test } from 'vitest'
import { forgetImage, imageOf, keepImage, keptImages, sbomOf, useImage } from '../environment-images.ts'
import { forgetImported, importedImages, keepImported } from '../imported-images.ts'
import type { Store } from '../store.ts'

/** What every engine promises of environments that are images. */
export function describeImages(store: () => Store): void {
  const image = { imageId: 'sha256:1', tag: 'carrick-1/environment:a', pushed: 'ann/environments@sha256:2' }

  describe('remembers environments that are images:', () => {
    test('the last build is the one that counts', async () => {
      await store().commit(keepImage('e1', { image, sbom: '{"a":1}', now: 1 }))
      const next = { imageId: 'sha256:3', tag: 'carrick-1/environment:b', accountId: 'account-1' }
      await store().commit(keepImage('e1', { image: next, sbom: '{"a":2}', now: 2 }))
      expect(await store().read(imageOf('e1'))).toEqual(next)
      expect(await store().read(sbomOf('e1'))).toEqual({ image: next, sbom: '{"a":2}' })
      expect(await store().read(keptImages())).toEqual([{ id: 'e1', image: next, builtAt: 2, usedAt: 2 }])
      expect(await store().read(imageOf('e2'))).toBeUndefined()
    })

    test('a name of an imported image means the last one, and is forgotten only while it means that', async () => {
      const imported = { name: 'docker.io/library/a:1', repository: 'ann/imported/a' }
      await store().commit(keepImported({ ...imported, digest: 'sha256:1' }, 1))
      await store().commit(keepImported({ ...imported, digest: 'sha256:2' }, 2))
      expect(await store().read(importedImages())).toEqual([{ ...imported, digest: 'sha256:2', importedAt: 2 }])
      expect(await store().commit(forgetImported({ ...imported, digest: 'sha256:1' }))).toBe(false)
      expect(await store().commit(forgetImported({ ...imported, digest: 'sha256:2' }))).toBe(true)
      expect(await store().read(importedImages())).toEqual([])
    })

    test('one that was asked for since is not forgotten', async () => {
      await store().commit(keepImage('e1', { image, sbom: '{}', now: 1 }))
      await store().commit(useImage('e1', 5))
      expect(await store().commit(forgetImage('e1', 5))).toBe(false)
      expect(await store().commit(forgetImage('e1', 6))).toBe(true)
      expect(await store().read(imageOf('e1'))).toBeUndefined()
    })
  })
}
