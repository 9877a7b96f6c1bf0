// The texts of the console as its pages word them, so that a tour asks for the words of its language.

import { readdir, readFile } from "node:fs/promises";

const folder = new URL("../texts/", import.meta.url);

/** Gives a function that words a key in a language: t("failures.retry.done", {Name: "Eva"}). */
export async function texts(lang) {
  const all = {};
  for (const area of await readdir(folder)) all[area] = JSON.parse(await readFile(new URL(`${area}/${lang}.json`, folder), "utf8"));
  return (key, data = {}) => {
    const text = key.split(".").reduce((at, part) => at?.[part], all);
    if (typeof text !== "string") throw new Error(`there is no text ${key}`);
    return text.replace(/{{\.(\w+)}}/g, (_, name) => data[name]);
  };
}
