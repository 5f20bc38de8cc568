// Jobs from the upload to their receipts, on a server without login.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { JoblinkError, UserErrors, type Job } from 'joblink';
import { all, completed, file, joblink, many, unique } from './world.js';

function refusedWith(code: string, check: (error: UserErrors) => void = () => undefined) {
  return (error: unknown): true => {
    assert.ok(error instanceof UserErrors, `${error}`);
    assert.ok(error instanceof JoblinkError);
    assert.equal(error.code, code);
    assert.equal(error.message, error.userErrors[0]?.message);
    check(error);
    return true;
  };
}

test('a file is uploaded with its progress told, and its job watched to the end', async () => {
  const source = file(1500, 1);
  const sent: number[] = [];
  const job = await joblink.uploadFile(source, 'QUARTERLY', { onProgress: ({ sent: bytes, total }) => {
    assert.equal(total, source.size);
    sent.push(bytes);
  } });
  assert.equal(sent.at(-1), source.size);
  assert.deepEqual([job.fileName, job.fileSize, job.kind], [source.name, source.size, 'QUARTERLY']);

  const seen: Job[] = [];
  const ended = await joblink.waitFor(job.id, { onProgress: now => seen.push(now), signal: AbortSignal.timeout(60_000) });
  assert.deepEqual([ended.status, ended.progress], ['COMPLETED', { total: 1501, processed: 1501, succeeded: 1500, failed: 1 }]);
  assert.equal(seen.at(-1)?.status, 'COMPLETED');
  const processed = seen.map(({ progress }) => progress.processed);
  assert.deepEqual(processed, processed.toSorted((a, b) => a - b));

  assert.deepEqual((await all(joblink.rowErrors(job.id))).map(({ line, column, code }) => [line, column, code]), [
    [1502, 'total_debt_to_ebitda', 'INVALID_VALUE'],
  ]);
  const predictions = await all(joblink.predictions(job.id));
  assert.equal(new Set(predictions.map(({ id }) => id)).size, 1500);
  const [first] = predictions;
  assert.ok(first?.__typename === 'QuarterlyPrediction');
  assert.deepEqual([first.sgaMargin, first.reportingYear, first.linkSource], ['20.5', '2024', 'UPLOAD']);

  const results = ended.artifacts.find(({ kind }) => kind === 'RESULTS');
  assert.ok(results);
  const text = await (await joblink.download(results)).text();
  assert.equal(text.length, results.size);
  assert.ok(text.includes(first.id));
});

test('a watch begins with how the job stands, and ends with the job', async () => {
  const id = await completed(1);
  const events = await all(joblink.watch(id));
  assert.deepEqual(events.map(({ type, job }) => [type, job?.status]), [['STATUS', 'COMPLETED']]);
  await joblink.deleteJob(id);
  const after = await all(joblink.watch(id));
  assert.deepEqual(after.map(({ type, jobId, job }) => [type, jobId, job]), [['DELETED', id, null]]);
  await assert.rejects(joblink.waitFor(id), { name: 'JoblinkError', code: 'JOB_ALREADY_DELETED' });
  await assert.rejects(joblink.waitFor(randomUUID()), { name: 'JoblinkError', code: 'JOB_NOT_FOUND', message: 'Job not found' });
});

test('what happens to all jobs is told', async () => {
  const leave = new AbortController();
  const seen = (async () => {
    for await (const event of joblink.events({ signal: leave.signal })) if (event.type === 'DELETED') return event.jobId;
    return undefined;
  })();
  // A stream may begin a moment after it was asked for.
  const made = new Set<string>();
  let told: string | undefined;
  void seen.then(id => (told = id));
  for (let round = 0; told === undefined && round < 100; round += 1) {
    const id = await completed(1);
    made.add(id);
    await joblink.deleteJob(id, { deletePredictions: true });
    await Promise.race([seen, new Promise(resolve => setTimeout(resolve, 50))]);
  }
  leave.abort();
  assert.ok(made.has((await seen) ?? ''));
});

test('a job is deleted with its predictions, or without, and has a receipt', async () => {
  const [kept, whole] = [await completed(3), await completed(4)];
  const preview = await joblink.previewDeletion([kept, whole]);
  assert.deepEqual(preview.deletable.map(({ quarterlyPredictions }) => quarterlyPredictions), [3, 4]);

  const released = await joblink.deleteJob(kept);
  assert.deepEqual([released.jobId, released.deletePredictions, released.releasedPredictions, released.deletedQuarterlyPredictions], [kept, false, 3, 0]);
  const deleted = await joblink.deleteJob(whole, { deletePredictions: true, expectedPredictions: 4, reason: 'a test' });
  assert.deepEqual([deleted.deletePredictions, deleted.releasedPredictions, deleted.deletedQuarterlyPredictions, deleted.reason], [true, 0, 4, 'a test']);

  assert.equal(await joblink.job(whole), null);
  await assert.rejects(all(joblink.predictions(whole)), { code: 'JOB_NOT_FOUND' });
  assert.equal((await joblink.receipt(whole))?.id, deleted.id);
  assert.equal(await joblink.receipt(randomUUID()), null);
  const newest = await all(joblink.receipts({ filter: { search: whole.slice(0, 13) }, pageSize: 1 }));
  assert.ok(newest.some(({ id }) => id === deleted.id));
  await assert.rejects(joblink.deleteJob(whole), refusedWith('JOB_ALREADY_DELETED', error => assert.equal(error.receipt?.id, deleted.id)));
  await assert.rejects(joblink.deleteJob(randomUUID()), refusedWith('JOB_NOT_FOUND'));
});

test('another number of predictions than was shown refuses the deletion', async () => {
  const id = await completed(2);
  await assert.rejects(joblink.deleteJob(id, { deletePredictions: true, expectedPredictions: 1 }), refusedWith('PREVIEW_STALE', error => assert.equal(error.job?.id, id)));
  const { receipts, refused } = await joblink.deleteJobs([id], { expected: [{ id, predictions: 1 }] });
  assert.deepEqual([receipts, refused.map(({ error }) => error.code)], [[], ['PREVIEW_STALE']]);
  assert.equal((await all(joblink.predictions(id))).length, 2);
});

test('lists go on beyond a page, and any number of jobs is deleted', async () => {
  const name = unique();
  const ids = await many(105, 8, async index => (await joblink.uploadFile(file(1, 0, `${name}-${index}.csv`), 'QUARTERLY')).id);
  const listed = await all(joblink.jobs({ filter: { search: name }, orderBy: { field: 'CREATED_AT', direction: 'ASC' } }));
  assert.deepEqual(new Set(listed.map(({ id }) => id)), new Set(ids));
  const few = await all(joblink.jobs({ filter: { search: name }, pageSize: 10 }));
  assert.equal(few.length, 105);

  const preview = await joblink.previewDeletion(ids, { force: true });
  assert.equal(preview.deletable.length, 105);
  const unknown = randomUUID();
  const told: [number, number][] = [];
  const { receipts, refused } = await joblink.deleteJobs([...ids, unknown, ids[0] ?? ''], {
    deletePredictions: true,
    force: true,
    onProgress: (done, total) => told.push([done, total]),
  });
  assert.deepEqual(new Set(receipts.map(({ jobId }) => jobId)), new Set(ids));
  assert.deepEqual(refused.map(({ jobId, error }) => [jobId, error.code]), [[unknown, 'JOB_NOT_FOUND']]);
  assert.deepEqual(told, [[100, 106], [106, 106]]);
  assert.deepEqual(await all(joblink.jobs({ filter: { search: name } })), []);
});

test('a job at work is cancelled, not deleted, unless by force; its file runs once more', async () => {
  const { id } = await joblink.uploadFile(file(60_000), 'QUARTERLY');
  for await (const { job } of joblink.watch(id, { signal: AbortSignal.timeout(60_000) })) if (job?.status === 'RUNNING') break;
  await assert.rejects(joblink.deleteJob(id), refusedWith('JOB_IN_PROGRESS', error => assert.equal(error.job?.status, 'RUNNING')));
  const first = await joblink.cancelJob(id, { reason: 'a test', notes: 'of cancelling' });
  assert.ok(['CANCELLING', 'CANCELLED'].includes(first.status));
  const again = await joblink.cancelJob(id);
  assert.deepEqual([again.cancellation?.reason, again.cancellation?.notes], ['a test', 'of cancelling']);
  assert.equal((await joblink.waitFor(id, { signal: AbortSignal.timeout(60_000) })).status, 'CANCELLED');

  const retried = await joblink.retryJob(id);
  assert.notEqual(retried.id, id);
  const receipt = await joblink.deleteJob(retried.id, { force: true, deletePredictions: true });
  assert.equal(receipt.force, true);
  await joblink.deleteJob(id, { deletePredictions: true });

  const done = await completed(1);
  await assert.rejects(joblink.cancelJob(done), refusedWith('INVALID_STATE', error => assert.equal(error.job?.status, 'COMPLETED')));
});

test('under one key a file makes one job', async () => {
  const [source, idempotencyKey] = [file(2), unique()];
  const first = await joblink.uploadFile(source, 'QUARTERLY', { idempotencyKey });
  const second = await joblink.uploadFile(source, 'QUARTERLY', { idempotencyKey });
  assert.equal(second.id, first.id);
  await assert.rejects(joblink.uploadFile(file(2), 'QUARTERLY', { idempotencyKey }), refusedWith('VALIDATION_FAILED', error => {
    assert.deepEqual(error.userErrors[0]?.field, ['input', 'idempotencyKey']);
  }));
});

test('a file that is none is refused, and a bad argument of a list is an error', async () => {
  await assert.rejects(joblink.uploadFile(new Blob(['nothing\n']), 'ANNUAL', { name: 'no.csv' }), refusedWith('INVALID_FILE'));
  await assert.rejects(all(joblink.jobs({ pageSize: 101 })), (error: unknown) => {
    assert.ok(error instanceof JoblinkError && !(error instanceof UserErrors));
    assert.equal(error.code, 'BAD_USER_INPUT');
    assert.match(error.requestId ?? '', /./);
    return true;
  });
});

test('whoever gives a signal ends the call', async () => {
  const { id } = await joblink.uploadFile(file(60_000), 'QUARTERLY');
  const reason = new Error('enough');
  const leave = new AbortController();
  const waiting = joblink.waitFor(id, { signal: leave.signal, onProgress: () => leave.abort(reason) });
  await assert.rejects(waiting, error => error === reason);
  await joblink.deleteJob(id, { force: true, deletePredictions: true });
});
