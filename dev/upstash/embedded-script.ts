import * as z from 'zod';
import type { Outcome, RedisValue } from './backend.ts';

export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';

/**
 * Runs the script that is the last of ARGV the way Redis would, inside the embedded emulation's bare Lua: `redis.call`
 * gets text and gives Lua tables, errors can be caught, and the result follows Redis' rules for Lua values. The answer is
 * ASCII JSON in which every char is one byte, so no byte of a string is lost on the way out.
 */
export const SCRIPT_HOST = `
local source = table.remove(ARGV)
local emulated = redis.pcall
local WRONG_TYPE = '${WRONG_TYPE}'

local function number_text(value)
  local whole = math.tointeger(value)
  if whole then return string.format('%d', whole) end
  return string.format('%.17g', value)
end

local function to_lua(value, inner)
  if type(value) == 'number' then return math.tointeger(value) or value end
  if type(value) ~= 'userdata' then return value end
  if tostring(value) == 'null' or tostring(value) == 'undefined' then return false end
  -- The outer list of a reply starts at 1, a list inside it at 0.
  local list, first = {}, inner and 0 or 1
  for i = first, value.length - 1 do list[#list + 1] = to_lua(value[i], true) end
  return list
end

local function error_text(text)
  if text:find("reading 'bind'", 1, true) then return 'ERR Unknown Redis command called from script' end
  if text:find('does not contain a', 1, true) then return WRONG_TYPE end
  local bare = text:gsub('^%a*Error: ', '')
  if bare:find('^%u%u+ ') then return bare end
  return 'ERR ' .. bare
end

redis.pcall = function(...)
  local words = {...}
  for i = 1, #words do
    if type(words[i]) == 'number' then words[i] = number_text(words[i]) end
  end
  local value = emulated(table.unpack(words))
  if type(value) == 'userdata' and tostring(value[0]) == 'error' then return {err = error_text(tostring(value[1]))} end
  return to_lua(value)
end
redis.call = function(...)
  local value = redis.pcall(...)
  if type(value) == 'table' and value.err then error(value, 0) end
  return value
end
redis.error_reply = function(text) return {err = text} end
redis.status_reply = function(text) return {ok = text} end
redis.log = function() end

local function quoted(text)
  return '"' .. text:gsub('[^ !#-%[%]-~]', function(char) return string.format('\\\\u%04x', char:byte()) end) .. '"'
end

local encode
local function encode_list(list)
  local items = {}
  for i = 1, #list do
    if list[i] == nil then break end
    items[i] = encode(list[i])
  end
  return '[' .. table.concat(items, ',') .. ']'
end
encode = function(value)
  if type(value) == 'string' then return quoted(value) end
  if type(value) == 'number' then
    return string.format('%d', math.tointeger(value >= 0 and math.floor(value) or math.ceil(value)) or 0)
  end
  if value == true then return '1' end
  if type(value) ~= 'table' then return 'null' end
  if value.err then return '{"error":' .. quoted(value.err) .. '}' end
  if value.ok then return quoted(value.ok) end
  return encode_list(value)
end

local function failure(problem)
  return encode({err = type(problem) == 'table' and problem.err or tostring(problem)})
end
local chunk, problem = load(source, '@user_script')
if not chunk then return failure('ERR Error compiling script: ' .. problem) end
local finished, value = pcall(chunk)
if not finished then return failure(value) end
return encode(value)
`;

const ValueSchema: z.ZodType<ScriptValue> = z.lazy(() =>
  z.union([z.string(), z.number(), z.null(), z.object({ error: z.string() }), z.array(ValueSchema)]),
);
type ScriptValue = string | number | null | { error: string } | ScriptValue[];

/** Reads the JSON that SCRIPT_HOST answers. */
export function readScriptResult(json: unknown): Outcome {
  const value = ValueSchema.parse(JSON.parse(String(json)));
  if (isError(value)) return { error: utf8(value.error).toString('utf8') };
  return { result: bytesOf(value) };
}

function isError(value: ScriptValue): value is { error: string } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bytesOf(value: ScriptValue): RedisValue {
  if (typeof value === 'string') return utf8(value);
  if (Array.isArray(value)) return value.map(bytesOf);
  if (isError(value)) return utf8(value.error);
  return value;
}

function utf8(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}
