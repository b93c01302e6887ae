import { accountRoutes } from './routes/account.ts'
import { appFileRoutes } from './routes/app-files.ts'
import { appRoutes } from './routes/apps.ts'
import { comfyRoutes } from './routes/comfy.ts'
import { environmentRoutes } from './routes/environments.ts'
import { eventRoutes } from './routes/events.ts'
import { fileRoutes } from './routes/files.ts'
import { logRoutes } from './routes/logs.ts'
import { machineRoutes } from './routes/machines.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { openApiRoutes } from './routes/openapi.ts'
import { objectRoutes } from './routes/objects.ts'
import { runnerRoutes } from './routes/runners.ts'
import { pageRoutes } from './routes/pages.ts'
import { workflowRoutes } from './routes/workflows.ts'
import { systemRoutes } from './routes/system.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { trustRoutes } from './routes/trust.ts'
import { platformAccountRoutes } from './routes/platform-account.ts'
import { platformAppRoutes } from './routes/platform-apps.ts'
import { platformChangeRoutes } from './routes/platform-changes.ts'
import { platformDataRoutes } from './routes/platform-data.ts'
import { platformExplainRoutes } from './routes/platform-explain.ts'
import { platformLogRoutes } from './routes/platform-logs.ts'
import { platformRequestRoutes } from './routes/platform-requests.ts'
import type { Route } from './routes/route.ts'
import { usageRoutes } from './routes/usage.ts'
import { uploadRoutes } from './routes/uploads.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { valueRoutes } from './routes/values.ts'

/** Every address that there is. */
export const routes: readonly Route[] = [
  ...accountRoutes,
  ...appRoutes,
  ...logRoutes,
  ...eventRoutes,
  ...environmentRoutes,
  ...runnerRoutes,
  ...appFileRoutes,
  ...fileRoutes,
  ...pageRoutes,
  ...workflowRoutes,
  ...comfyRoutes,
  ...uploadRoutes,
  ...objectRoutes,
  ...valueRoutes,
  ...tokenRoutes,
  ...trustRoutes,
  ...webhookRoutes,
  ...metricsRoutes,
  ...machineRoutes,
  ...systemRoutes,
  ...platformAppRoutes,
  ...platformChangeRoutes,
  ...platformDataRoutes,
  ...usageRoutes,
  ...platformRequestRoutes,
  ...platformExplainRoutes,
  ...platformLogRoutes,
  ...platformAccountRoutes,
  ...openApiRoutes(() => routes),
]
