import type { Maintenance } from '../domain/maintenance.ts'
import { number, optionalNumber, optionalText, present, text } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** The machines that are in maintenance. */
export function maintenances(): Read<readonly Maintenance[]> {
  return read(sql`select machine_id, since, deadline, message from machine_maintenance order by machine_id`, (row) => ({
    machineId: text(row, 'machine_id'),
    since: number(row, 'since'),
    ...present('deadline', optionalNumber(row, 'deadline')),
    ...present('message', optionalText(row, 'message')),
  }))
}

/** Of a machine that is in maintenance already only deadline and message change. */
export function beginMaintenance({ machineId, since, deadline, message }: Maintenance): Write<void> {
  return write(
    [
      sql`insert into machine_maintenance (machine_id, since, deadline, message)
          values (${machineId}, ${since}, ${deadline}, ${message})
              on conflict (machine_id) do update set deadline = excluded.deadline, message = excluded.message`,
    ],
    done,
  )
}

export function endMaintenance(machineId: string): Write<void> {
  return write([sql`delete from machine_maintenance where machine_id = ${machineId}`], done)
}
