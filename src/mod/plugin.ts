/** The part of the library that answers the requests of other programs. */
export {
  ACTIONS as PLUGIN_ACTIONS,
  type AdHocRequest,
  adHocTarget,
  answerRequest,
  type PluginAnswer,
  readSettings,
  SHORT_ACTIONS as PLUGIN_SHORT_ACTIONS,
} from "#/plugin/mod.ts";
