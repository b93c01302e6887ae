import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { sbomOf } from '../../store/environment-images.ts'
import { operation } from '../operation.ts'

export const Sbom = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.string(),
  components: z.array(z.looseObject({ type: z.string(), name: z.string(), version: z.string() })),
})
export type Sbom = z.output<typeof Sbom>

/** What is installed in an environment that is an image, in CycloneDX. */
export const environmentSbom = operation(
  { permission: 'apps:read', input: z.object({ id: z.string().max(128) }) },
  async ({ store }, { accountId }, { id }): Promise<Sbom> => {
    const found = await store.read(sbomOf(id))
    // One of requirements alone is nobody's: its id says what it is made of, secrets by fingerprints that only we can make.
    if (found !== undefined && (found.image.accountId ?? accountId) === accountId)
      return Sbom.parse(JSON.parse(found.sbom))
    throw new CarrickError(
      'environment_not_found',
      `There is no image of an environment ${JSON.stringify(id.slice(0, 128))} here: only environments that --backend docker has built are known`,
    )
  },
)
