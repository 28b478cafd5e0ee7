/** The current dims and silver -> the publications that all later tasks of the run read. */
import type { PublicationReader, TaskHandler } from '../../core/ports.ts';

/** Comes after a triggered refresh, so it sees what that run published. Repeating it may pin newer ones; only its last output counts. */
export function createPinDimsHandler(deps: { readonly publications: PublicationReader }): TaskHandler {
  return async (context) => {
    const [dims, silver] = await Promise.all([deps.publications.current('dims'), deps.publications.current('silver')]);
    context.log.info(
      `dims ${dims?.sequence ?? 'not published yet'}, silver ${silver?.sequence ?? 'not published yet'}`,
    );
    return {
      kind: 'pinned',
      pinned: {
        layer: 'dims',
        bronze: {},
        publications: { dims: dims?.sequence ?? null, silver: silver?.sequence ?? null },
      },
    };
  };
}
