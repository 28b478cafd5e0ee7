/** What each open job and pause of a task is doing -> whether the task's timeout stands still. */
import type { WarehouseUse } from '../../core/ports.ts';

/** `waiting`: for slots, for a quota, or for a cancel to be taken; only other machines decide how long. */
export type Doing = 'waiting' | 'working';

/** One job or pause, counted from the moment it is opened until it is closed. */
export interface OpenWork {
  turnsTo(doing: Doing): void;
  close(): void;
}

/** The only one to hold a task's timeout: it stands still while something is open and all that is open waits. */
export class TimeoutHold {
  readonly #holdTimeout: WarehouseUse['holdTimeout'];
  readonly #open = new Map<OpenWork, Doing>();
  #isHeld = false;

  constructor({ holdTimeout }: Pick<WarehouseUse, 'holdTimeout'>) {
    this.#holdTimeout = holdTimeout;
  }

  open(doing: Doing): OpenWork {
    const work: OpenWork = {
      turnsTo: (next) => {
        this.#open.set(work, next);
        this.#tell();
      },
      close: () => {
        this.#open.delete(work);
        this.#tell();
      },
    };
    work.turnsTo(doing);
    return work;
  }

  #tell(): void {
    const all = [...this.#open.values()];
    const isHeld = all.length > 0 && all.every((doing) => doing === 'waiting');
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#holdTimeout(isHeld);
  }
}
