/** A refusal -> status, reason and message as Cloud Storage's JSON API words them. */

/**
 * Thrown by any operation; `storage-api.ts` answers with it.
 * @source Cloud Storage, "HTTP status and error codes for JSON" (read 2026-11-21)
 */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  /** The parameter or header at fault, where one is. */
  readonly location: string | null;

  constructor(status: number, reason: string, message: string, location: string | null = null) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.reason = reason;
    this.location = location;
  }
}

export const noSuchBucket = (): ApiError => new ApiError(404, 'notFound', 'The specified bucket does not exist.');

export const noSuchObject = (bucket: string, name: string): ApiError =>
  new ApiError(404, 'notFound', `No such object: ${bucket}/${name}`);

export const noSuchUpload = (): ApiError =>
  new ApiError(404, 'notFound', 'No such upload session: it was never started, was cancelled, or has failed.');

export const invalid = (message: string, location: string | null = null): ApiError =>
  new ApiError(400, 'invalid', message, location);

export const required = (what: string): ApiError => new ApiError(400, 'required', `Required: ${what}`, what);

export const notImplemented = (what: string): ApiError =>
  new ApiError(
    501,
    'notImplemented',
    `The sandbox does not implement ${what}. It answers only the calls that Assay makes.`,
  );

/** The value of the `error` envelope. */
export function errorBody(error: ApiError): object {
  const located = error.location === null ? {} : { locationType: 'parameter', location: error.location };
  return {
    error: {
      code: error.status,
      message: error.message,
      errors: [{ message: error.message, domain: 'global', reason: error.reason, ...located }],
    },
  };
}
