/** Resumable uploads -> objects: sessions that outlive connections and restarts. */
import { randomUUID } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/ports.ts';
import { type Answer, empty, json } from './answer.ts';
import { ApiError, invalid, noSuchUpload } from './api-error.ts';
import { type ApiRequest, headerOf, readJson } from './api-request.ts';
import type { BucketStore } from './bucket-store.ts';
import { parseUploadRange, type UploadRange } from './byte-range.ts';
import { type ObjectRecord, objectResource } from './object-record.ts';
import { checkClaim } from './object-settings.ts';
import { claimOf, planUpload, type UploadPlan } from './object-uploads.ts';
import { type Checksums, splitAt, startChecksums, writeAll } from './receive-body.ts';

/** What a session keeps on disk beside its bytes. */
interface SessionRecord {
  readonly plan: UploadPlan;
  readonly startedAtMs: number;
  /** As the client declared it at the start; null: not. */
  readonly declaredBytes: number | null;
  /** What the upload has become. */
  readonly made: ObjectRecord | null;
}

interface Session {
  record: SessionRecord;
  /** On disk, and in `checksums`. A multiple of 256 KiB until the object is made. */
  persistedBytes: number;
  checksums: Checksums;
  /** Requests to one session are taken one after the other. */
  turn: Promise<unknown>;
}

/** @source Cloud Storage, "Resumable uploads": chunks are multiples of 256 KiB, sessions last one week (read 2026-11-21) */
const QUANTUM_BYTES = 256 * 1024;
const SESSION_MS = 7 * 86_400_000;
const WRITE_BYTES = 4 * QUANTUM_BYTES;

type BytesRange = Extract<UploadRange, { kind: 'bytes' }>;

/**
 * On disk, `<id>.json` and the bytes so far in `<id>.part`. An object appears only when its last byte is there; a status
 * query never makes one out of fewer.
 *
 * @source Cloud Storage, "Perform resumable uploads" (read 2026-11-21)
 */
export class UploadSessions {
  readonly #store: BucketStore;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(store: BucketStore, folder: string, clock: Clock) {
    this.#store = store;
    this.#folder = folder;
    this.#clock = clock;
    mkdirSync(folder, { recursive: true });
    this.#forgetExpired();
  }

  /** 200 with the session's address. Conditions are checked now, and again when the object is made. */
  async start(bucket: string, request: ApiRequest): Promise<Answer> {
    const metadata = await readJson(request);
    const plan = planUpload(this.#store, bucket, request, metadata, headerOf(request, 'x-upload-content-type') ?? null);
    const declared = headerOf(request, 'x-upload-content-length');
    if (declared !== undefined && !/^\d+$/.test(declared))
      throw invalid(`Invalid X-Upload-Content-Length: ${declared}`, 'X-Upload-Content-Length');
    const id = randomUUID();
    const declaredBytes = declared === undefined ? null : Number(declared);
    const record = { plan, startedAtMs: this.#clock.now(), declaredBytes, made: null };
    writeFileSync(this.#partPath(id), '');
    this.#save(id, record);
    this.#sessions.set(id, Promise.resolve(newSession(record)));
    const query = new URLSearchParams({ uploadType: 'resumable', name: plan.name, upload_id: id });
    const path = `/upload/storage/v1/b/${encodeURIComponent(bucket)}/o`;
    return empty(200, { location: `${request.origin}${path}?${query}`, 'x-guploader-uploadid': id });
  }

  /** Takes bytes, or says how many there are. 308 with `Range` while some are missing, 200 with the object at the end. */
  async put(request: ApiRequest): Promise<Answer> {
    const id = request.query.get('upload_id') ?? '';
    const range = parseUploadRange(request.contentRange);
    const session = await this.#find(id);
    return inTurn(session, async () => {
      const { made } = session.record;
      if (made) return json(objectResource(made, request.origin));
      if (!existsSync(this.#partPath(id))) throw noSuchUpload();
      checkTotal(session, range);
      if (range.kind === 'bytes') return this.#take(id, session, range, request);
      // The client knows the end, and all bytes up to it are here.
      if (range.total === session.persistedBytes) return this.#finish(id, session, request);
      return incomplete(session);
    });
  }

  /** @source Cloud Storage, "Resumable uploads: cancel an upload": 499 (read 2026-11-21) */
  async cancel(request: ApiRequest): Promise<Answer> {
    const id = request.query.get('upload_id') ?? '';
    const session = await this.#find(id);
    return inTurn(session, async () => {
      this.#forget(id);
      throw new ApiError(499, 'clientClosedRequest', 'The upload was cancelled.');
    });
  }

  async #take(id: string, session: Session, range: BytesRange, request: ApiRequest): Promise<Answer> {
    checkStart(session, range);
    const file = await open(this.#partPath(id), 'r+');
    const intake = new Intake(session, range, file);
    let isLast = false;
    try {
      for await (const chunk of request.body) await intake.add(chunk);
      isLast = isLastRequest(session, range, intake.receivedEnd);
      if (!isLast && range.end !== null && intake.receivedEnd < range.end)
        throw invalid('The request body is shorter than its Content-Range says.');
    } finally {
      // Also of a connection that broke, so that the client can go on from there.
      await intake.settle(isLast);
      await file.close();
    }
    return isLast ? this.#finish(id, session, request) : incomplete(session);
  }

  /** After a refusal the session is gone: its bytes, or its conditions, were wrong for good. */
  #finish(id: string, session: Session, request: ApiRequest): Answer {
    const { record } = session;
    const { plan } = record;
    const path = this.#partPath(id);
    try {
      truncateSync(path, session.persistedBytes);
      const sums = session.checksums.finish();
      checkClaim(claimOf(request, plan.claimed), sums);
      const body = { path, sizeBytes: session.persistedBytes, ...sums, componentCount: null, isShared: false };
      const made = this.#store.write(plan.bucket, plan.name, body, plan.settings, plan.conditions);
      session.record = { ...record, made };
      this.#save(id, session.record);
      // From here on the disk remembers it.
      this.#sessions.delete(id);
      return json(objectResource(made, request.origin));
    } catch (thrown) {
      if (thrown instanceof ApiError) this.#forget(id);
      else this.#sessions.delete(id);
      throw thrown;
    }
  }

  async #find(id: string): Promise<Session> {
    if (!/^[0-9a-f-]{36}$/.test(id)) throw noSuchUpload();
    let opening = this.#sessions.get(id);
    if (!opening) {
      opening = this.#reopen(id);
      this.#sessions.set(id, opening);
      opening.catch(() => this.#sessions.delete(id));
    }
    const session = await opening;
    if (!this.#isExpired(session.record)) return session;
    this.#forget(id);
    throw new ApiError(410, 'gone', 'The upload session has expired. Start a new one.');
  }

  /** A session of an earlier process: what it had written beyond a multiple of 256 KiB does not count. */
  async #reopen(id: string): Promise<Session> {
    const path = this.#recordPath(id);
    if (!existsSync(path)) throw noSuchUpload();
    const session = newSession(JSON.parse(readFileSync(path, 'utf8')) as SessionRecord);
    if (session.record.made || !existsSync(this.#partPath(id))) return session;
    const { size } = statSync(this.#partPath(id));
    session.persistedBytes = size - (size % QUANTUM_BYTES);
    truncateSync(this.#partPath(id), session.persistedBytes);
    for await (const chunk of createReadStream(this.#partPath(id))) session.checksums.update(chunk as Buffer);
    return session;
  }

  #isExpired(record: SessionRecord): boolean {
    return this.#clock.now() - record.startedAtMs > SESSION_MS;
  }

  #forgetExpired(): void {
    for (const file of readdirSync(this.#folder)) {
      if (!file.endsWith('.json')) continue;
      const record = JSON.parse(readFileSync(join(this.#folder, file), 'utf8')) as SessionRecord;
      if (this.#isExpired(record)) this.#forget(file.slice(0, -'.json'.length));
    }
  }

  #save(id: string, record: SessionRecord): void {
    const draft = `${this.#recordPath(id)}.draft`;
    writeFileSync(draft, JSON.stringify(record));
    renameSync(draft, this.#recordPath(id));
  }

  #forget(id: string): void {
    this.#sessions.delete(id);
    rmSync(this.#recordPath(id), { force: true });
    rmSync(this.#partPath(id), { force: true });
  }

  #recordPath(id: string): string {
    return join(this.#folder, `${id}.json`);
  }

  #partPath(id: string): string {
    return join(this.#folder, `${id}.part`);
  }
}

/** Brings the bytes of one request to disk in multiples of 256 KiB, passing over those that are there already. */
class Intake {
  readonly #session: Session;
  readonly #range: BytesRange;
  readonly #file: FileHandle;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Position past the last byte that came. */
  receivedEnd: number;

  constructor(session: Session, range: BytesRange, file: FileHandle) {
    this.#session = session;
    this.#range = range;
    this.#file = file;
    this.receivedEnd = range.start;
  }

  async add(chunk: Uint8Array): Promise<void> {
    const known = this.#session.persistedBytes + this.#pendingBytes - this.receivedEnd;
    this.receivedEnd += chunk.byteLength;
    const limit = this.#range.end ?? this.#range.total;
    if (limit !== null && this.receivedEnd > limit)
      throw invalid('The request body is longer than its Content-Range says.');
    const fresh = known > 0 ? chunk.subarray(known) : chunk;
    this.#pending.push(fresh);
    this.#pendingBytes += fresh.byteLength;
    if (this.#pendingBytes >= WRITE_BYTES) await this.settle(false);
  }

  /** Only the last request of an upload may leave an odd number of bytes; of any other the rest is forgotten. */
  async settle(isLast: boolean): Promise<void> {
    const bytes = isLast ? this.#pendingBytes : this.#pendingBytes - (this.#pendingBytes % QUANTUM_BYTES);
    if (bytes === 0) return;
    const [now, rest] = splitAt(this.#pending, bytes);
    await writeAll(this.#file, now, this.#session.persistedBytes);
    for (const piece of now) this.#session.checksums.update(piece);
    this.#session.persistedBytes += bytes;
    this.#pending = rest;
    this.#pendingBytes -= bytes;
  }
}

const newSession = (record: SessionRecord): Session => ({
  record,
  persistedBytes: 0,
  checksums: startChecksums(),
  turn: Promise.resolve(),
});

async function inTurn(session: Session, work: () => Promise<Answer>): Promise<Answer> {
  const mine = session.turn.then(work, work);
  session.turn = mine;
  return mine;
}

function incomplete(session: Session): Answer {
  const { persistedBytes } = session;
  return empty(308, persistedBytes === 0 ? {} : { range: `bytes=0-${persistedBytes - 1}` });
}

function checkTotal(session: Session, range: UploadRange): void {
  const { declaredBytes } = session.record;
  if (range.total === null || declaredBytes === null || range.total === declaredBytes) return;
  throw invalid(`The upload was declared to have ${declaredBytes} bytes, not ${range.total}.`, 'Content-Range');
}

function checkStart(session: Session, range: BytesRange): void {
  if (range.start > session.persistedBytes)
    throw invalid(
      `According to the Content-Range header, the upload offset is ${range.start} byte(s), which exceeds already uploaded size of ${session.persistedBytes} byte(s).`,
      'Content-Range',
    );
  const isLast = range.end === null || range.end === (range.total ?? session.record.declaredBytes);
  if (!isLast && range.end !== null && (range.end - range.start) % QUANTUM_BYTES !== 0)
    throw invalid('A chunk that is not the last one must be a multiple of 262144 bytes long.', 'Content-Range');
}

/** A body without an end in its range is the last one, unless the length that is known says that bytes are missing. */
function isLastRequest(session: Session, range: BytesRange, receivedEnd: number): boolean {
  const total = range.total ?? session.record.declaredBytes;
  if (total !== null) return receivedEnd === total;
  return range.end === null;
}
