import { accountRoutes } from './routes/account.ts'
import { appRoutes } from './routes/apps.ts'
import { eventRoutes } from './routes/events.ts'
import { logRoutes } from './routes/logs.ts'
import { objectRoutes } from './routes/objects.ts'
import { pageRoutes } from './routes/pages.ts'
import { trustRoutes } from './routes/trust.ts'
import type { Route } from './routes/route.ts'
import { uploadRoutes } from './routes/uploads.ts'
import { valueRoutes } from './routes/values.ts'

/** Every address that there is. */
export const routes: readonly Route[] = [
  ...accountRoutes,
  ...appRoutes,
  ...logRoutes,
  ...eventRoutes,
  ...pageRoutes,
  ...uploadRoutes,
  ...objectRoutes,
  ...valueRoutes,
  ...trustRoutes,
]
