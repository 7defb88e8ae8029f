/** The part of the library that works on single services of a stack. */
export { rollBackService, type ServiceRollbackOptions } from "#/snapshot/service_rollback.ts";
