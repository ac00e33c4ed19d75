export const en = {
};
export const ja = {
};
