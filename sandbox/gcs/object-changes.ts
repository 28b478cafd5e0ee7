/** Requests that change an object's settings or remove it -> answers: patch, update, delete. */
import { type Answer, empty, json } from './answer.ts';
import { type ApiRequest, readJson } from './api-request.ts';
import type { BucketStore } from './bucket-store.ts';
import { findObject } from './object-reads.ts';
import { objectResource } from './object-record.ts';
import { changeSettings, parseObjectRequest, type SettingsChange } from './object-settings.ts';
import { checkPreconditions, parsePreconditions } from './preconditions.ts';

/** A patch leaves alone what it does not name; an update clears it. The generation stays, the metageneration grows. */
export async function changeObject(
  store: BucketStore,
  bucket: string,
  name: string,
  request: ApiRequest,
  verb: 'patch' | 'update',
): Promise<Answer> {
  const asked = parseObjectRequest(await readJson(request)).settings;
  const object = findObject(store, bucket, name, request.query);
  checkPreconditions(object, parsePreconditions(request.query));
  const change: SettingsChange = verb === 'patch' ? asked : { ...CLEARED, ...asked };
  return json(objectResource(store.changeSettings(object, changeSettings(object.settings, change)), request.origin));
}

const CLEARED: SettingsChange = {
  contentType: null,
  contentEncoding: null,
  contentDisposition: null,
  contentLanguage: null,
  cacheControl: null,
  metadata: null,
};

export function deleteObject(store: BucketStore, bucket: string, name: string, request: ApiRequest): Answer {
  const object = findObject(store, bucket, name, request.query);
  checkPreconditions(object, parsePreconditions(request.query));
  store.remove(object);
  return empty(204);
}
