-- Serve bodiesUnder, by which the blobs are found that nothing names. Nearly all bodies are inline, so these stay small.
create index request_body_blob on request_body (blob) where blob is not null;
create index result_blob on result (blob) where blob is not null;
