/** What the sandbox does not imitate, in sentences for whoever starts it. */

export const SANDBOX_LIMITS: readonly string[] = [
  'Nothing here runs on Google Cloud: requests go to a stand-in on this machine, objects are files and queries run on DuckDB.',
  'Only the calls that Assay makes are answered; any other gets 501 and its name.',
  'Nobody is authenticated or authorised, and nothing is encrypted: every request on this port is let in.',
  'Storage keeps no old versions: no object versioning, soft delete, holds, retention, lifecycle rules, ACLs or IAM.',
  'Storage classes, locations and prices are not imitated, nor the limit of one write a second to one object.',
  'A power cut can lose the newest objects; a killed process cannot.',
  'BigQuery jobs run one after another, without slots, reservations, query cache or real cost; queries are translated to DuckDB, and what is not known to be equal is refused with its line and column.',
  'BigQuery has no views, ingestion-time partitions, INFORMATION_SCHEMA, time travel, snapshots, UPDATE, legacy SQL, streaming inserts or formats other than Parquet here; BIGNUMERIC needs a precision and holds 38 digits.',
  'Of BigQuery’s quotas only loads and modifications a day, metadata updates, partitions and tables in a transaction are counted.',
];
