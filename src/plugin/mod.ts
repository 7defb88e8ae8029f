/** Other programs drive backout with requests and answers. */
export { answerRequest } from "./actions.ts";
export { type AdHocRequest, adHocTarget, readSettings } from "./ad_hoc.ts";
export type { PluginAnswer } from "./answer.ts";
export { ACTIONS, SHORT_ACTIONS } from "./request.ts";
