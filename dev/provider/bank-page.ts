import type { Book } from './book.ts';
import { invalid, Refusal } from './shapes.ts';

interface Visit {
  method: string;
  path: string;
  params: URLSearchParams;
}

/** The page on which a buyer authenticates or does not, by hand or by a test's POST of `outcome`. */
export function authenticationPage(book: Book, call: Visit): { status: number; html: string } {
  const id = call.path.slice('/authenticate/'.length);
  try {
    if (call.method !== 'POST') {
      const { amount, currency, status } = book.get(id);
      const buttons = ['success', 'failure'].map(
        (outcome) => `<button name="outcome" value="${outcome}">${outcome}</button>`,
      );
      const form = status === 'requires_action' ? `<form method="post">${buttons.join(' ')}</form>` : '';
      return { status: 200, html: htmlPage(`Test bank: ${amount} ${currency}, ${status}`, form) };
    }
    const outcome = call.params.get('outcome');
    if (outcome !== 'success' && outcome !== 'failure') throw invalid('outcome', 'success or failure.');
    return { status: 200, html: htmlPage(`Done: ${book.authenticate(id, outcome === 'success').status}`, '') };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: error.status, html: htmlPage('The test bank refuses this.', '') };
  }
}

function htmlPage(title: string, rest: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test bank</title><h1>${title}</h1>${rest}</html>`;
}
