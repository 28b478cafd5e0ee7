/** The project's files -> the small readers that the API asks for reports, publications and sources. */
import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import type { PublicationSummary, PublicationsReader, ReportReader, ReportSelector, RunHistory } from '../api/ports.ts';
import { type JsonValue, LAYERS, type Publication } from '../core/types.ts';
import type { RunStore } from '../scheduler/store/run-store.ts';
import type { ReportPlace } from '../validation/report/earlier-report.ts';
import { type ReportEntry, readNewestReports, readRunReports } from '../validation/report/list-reports.ts';
import { openLake } from './lake.ts';
import type { Project } from './project.ts';

export function reportReader(project: () => Project): ReportReader {
  const inAllFolders = async <T>(read: (place: ReportPlace) => Promise<readonly T[]>): Promise<readonly T[]> => {
    const { root, specs } = project();
    const folders = [...new Set(specs.map((spec) => spec.reportDir))];
    return (await Promise.all(folders.map((reportDir) => read({ root, reportDir })))).flat();
  };
  const ofRun = (dagId: string, runId: string) => inAllFolders((place) => readRunReports(place, dagId, runId));
  const find = async ({ name, pipeline, run }: ReportSelector): Promise<ReportEntry | undefined> => {
    const reports = run === null ? await inAllFolders(readNewestReports) : await ofRun(run.dagId, run.runId);
    return reports.find((report) => report.name === name && (pipeline === null || report.pipeline === pipeline));
  };
  const read = async (path: string): Promise<string> => readFile(join(project().root, path), 'utf8');
  return {
    list: () => inAllFolders(readNewestReports),
    listOfRun: async (dagId, runId) =>
      (await ofRun(dagId, runId))
        .map((copy) => ({ ...copy, run: { dagId, runId } }))
        .sort((a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer)),
    markdown: async (selector) => {
      const report = await find(selector);
      return report ? read(report.markdownPath) : null;
    },
    results: async (selector) => {
      const report = await find(selector);
      return report ? (JSON.parse(await read(report.resultsPath)) as JsonValue) : null;
    },
  };
}

export function publicationsReader(project: () => Project): PublicationsReader {
  return {
    current: async () => {
      const summaries: PublicationSummary[] = [];
      for (const { pipeline } of project().specs) {
        const { publications } = await openLake(project().settings, pipeline);
        for (const layer of ['silver', 'dims', 'enriched', 'gold'] as const) {
          const publication = await publications.current(layer);
          if (publication) summaries.push(summaryOf(publication, true));
        }
      }
      return summaries;
    },
    list: async (layer) => {
      const summaries: PublicationSummary[] = [];
      for (const { pipeline } of project().specs) {
        const { publications } = await openLake(project().settings, pipeline);
        const current = await publications.current(layer);
        for await (const publication of publications.history(layer)) {
          summaries.push(summaryOf(publication, publication.sequence === current?.sequence));
        }
      }
      return summaries.sort((a, b) => (a.publishedAt < b.publishedAt ? 1 : -1));
    },
  };
}

function summaryOf(publication: Publication, isCurrent: boolean): PublicationSummary {
  const { pipeline, layer, sequence, dagId, runId, publishedAt, interval, verdict, revertsTo } = publication;
  const tables = Object.entries(publication.tables).map(([name, table]) => {
    const partitions = Object.values(table.partitions);
    return {
      name,
      partitions: partitions.length,
      rows: partitions.reduce((sum, partition) => sum + partition.rows, 0),
      sizeBytes: partitions.reduce((sum, partition) => sum + partition.sizeBytes, 0),
    };
  });
  return { pipeline, layer, sequence, isCurrent, dagId, runId, publishedAt, interval, verdict, revertsTo, tables };
}

/** Only files below `specs/` are shown. */
export async function sourceText(project: Project, file: string): Promise<string | null> {
  const path = normalize(file);
  if (!path.startsWith('specs/')) return null;
  return readFile(join(project.root, path), 'utf8').catch(() => null);
}

export function runHistory(store: RunStore): RunHistory {
  return {
    attempts: async (dagId, runId, taskId) => {
      const attempts = await store.listAttempts(dagId, runId, taskId);
      return attempts.map(({ tryNumber, state, pid, startedAtMs, endedAtMs }) => ({
        tryNumber,
        state,
        pid,
        startedAtMs,
        endedAtMs,
      }));
    },
    events: async () =>
      (await store.listEvents(null)).map((event) => ({
        atMs: event.at_ms,
        actor: event.actor,
        action: event.action,
        dagId: event.dag_id,
        runId: event.run_id,
        taskId: event.task_id,
        detail: event.detail,
      })),
  };
}
