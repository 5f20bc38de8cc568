// Tokens, tenants and limits, on a server with login.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Joblink, JoblinkError, UserErrors } from 'joblink';
import { all, completed, guarded } from './world.js';

const { url, token, foreign } = guarded;
const own = new Joblink({ url: `${url}/graphql`, token });

test('a token says who calls; it may be asked for each time', async () => {
  assert.equal((await own.viewer())?.role, 'ORG_ADMIN');
  const later = new Joblink({ url, token: () => Promise.resolve(token) });
  assert.equal((await later.viewer())?.user.name, 'User one');
});

test('without a good token nothing is answered', async () => {
  for (const options of [{ url }, { url, token: 'nonsense' }]) {
    const client = new Joblink(options);
    for (const call of [() => all(client.jobs()), () => client.uploadFile(new Blob(['x']), 'ANNUAL'), () => all(client.events())]) {
      await assert.rejects(call, (error: unknown) => {
        assert.ok(error instanceof JoblinkError);
        assert.deepEqual([error.code, error.status], ['UNAUTHENTICATED', 401]);
        assert.match(error.requestId ?? '', /./);
        return true;
      });
    }
  }
});

test("another organization's job looks as if it did not exist", async () => {
  const id = await completed(1, 0, own);
  const [file] = (await own.job(id))?.artifacts ?? [];
  assert.ok(file);
  const stranger = new Joblink({ url, token: foreign });
  assert.equal(await stranger.job(id), null);
  const isMissing = (error: unknown): boolean => error instanceof UserErrors && error.code === 'JOB_NOT_FOUND' && error.job === null;
  await assert.rejects(stranger.deleteJob(id, { force: true }), isMissing);
  await assert.rejects(stranger.cancelJob(id), isMissing);
  await assert.rejects(stranger.waitFor(id), { code: 'JOB_NOT_FOUND' });
  await assert.rejects(stranger.download(file), { name: 'JoblinkError', code: 'NOT_FOUND', status: 404 });
  const { refused } = await stranger.deleteJobs([id]);
  assert.deepEqual(refused.map(({ error, job }) => [error.code, job]), [['JOB_NOT_FOUND', null]]);
  await own.deleteJob(id);
  assert.equal(await stranger.receipt(id), null);
});

test('a hold forbids deleting, for administrators to lift', async () => {
  const id = await completed(1, 0, own);
  assert.equal((await own.holdJob(id, 'an audit')).hold?.reason, 'an audit');
  await assert.rejects(own.deleteJob(id, { force: true }), { name: 'UserErrors', code: 'JOB_ON_HOLD' });
  assert.equal((await own.releaseJobHold(id)).hold, null);
  await own.deleteJob(id, { deletePredictions: true });
});

test('who asks too often is held up, and served', async () => {
  let refused = 0;
  const counted: typeof fetch = async (...request) => {
    const response = await fetch(...request);
    if (response.status === 429) refused += 1;
    return response;
  };
  const eager = new Joblink({ url: guarded.strict, token: foreign, fetch: counted });
  for (let call = 0; call < 6; call += 1) assert.equal((await eager.viewer())?.role, 'MEMBER');
  assert.ok(refused > 0, 'the server refused nothing');
});
