import { stackFixture } from "./container_support.ts";
import { targetContract } from "./target_contract.ts";

targetContract(stackFixture("docker"));
