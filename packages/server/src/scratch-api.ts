import { openTestControl } from './testing/control.ts'
import { switchRevision, abortRolling } from './store/apps.ts'
const c = await openTestControl({})
c.script.build = async (d, { onLine }) => {
  onLine('installing ' + JSON.stringify(d))
  return 'e'.repeat(64)
}
setInterval(async () => {
  await c.apps.refresh()
  for (const { app } of c.apps.all())
    if (app.rollingRevisionId) {
      const id = app.rollingRevisionId
      if (process.env['FAIL']) {
        c.script.failures.set(
          id,
          'Its first runner ended with exit code 1. Its last words:\n' +
            'Traceback…\n'.repeat(3000) +
            'ValueError: boom',
        )
        await c.store.commit(abortRolling(app.id, id, c.clock.now()))
      } else await c.store.commit(switchRevision(app.id, id, undefined, c.clock.now()))
    }
}, 700)
console.log(JSON.stringify({ port: c.port, ...c.keys }))
